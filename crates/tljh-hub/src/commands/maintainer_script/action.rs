//! dpkg's calls as Policy lists them (6.5, "Summary of ways maintainer scripts are called").

use crate::cli::Script;
use crate::error::HubError;

/// What a call means for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `postinst configure [previous version]`, dpkg-reconfigure included.
    Configure {
        /// The version that was configured last; `None` at the first installation.
        previous: Option<String>,
    },
    /// `postinst abort-remove`: prerm had begun to take the package away.
    AbortRemove,
    /// `postinst triggered`: the system's Python was unpacked, perhaps another one.
    Triggered,
    /// `prerm remove`.
    Remove,
    /// Calls that leave everything running: upgrades and their failures, deconfiguration.
    Nothing,
}

impl Action {
    /// Reads the arguments of a maintainer script.
    pub fn parse(script: Script, arguments: &[String]) -> Result<Self, HubError> {
        let first = arguments.first().map(String::as_str);
        match (script, first) {
            (Script::Postinst, Some("configure")) => Ok(Self::Configure {
                previous: arguments
                    .get(1)
                    .filter(|version| !version.is_empty())
                    .cloned(),
            }),
            (Script::Postinst, Some("abort-remove")) => Ok(Self::AbortRemove),
            (Script::Postinst, Some("triggered")) => Ok(Self::Triggered),
            (Script::Postinst, Some("abort-upgrade" | "abort-deconfigure"))
            | (Script::Prerm, Some("upgrade" | "failed-upgrade" | "deconfigure")) => {
                Ok(Self::Nothing)
            }
            (Script::Prerm, Some("remove")) => Ok(Self::Remove),
            _ => Err(HubError::UnknownAction {
                script: match script {
                    Script::Postinst => "postinst",
                    Script::Prerm => "prerm",
                },
                arguments: arguments.join(" "),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(script: Script, line: &str) -> Result<Action, HubError> {
        Action::parse(
            script,
            &line
                .split_whitespace()
                .map(String::from)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn every_call_of_policy_is_understood() {
        use Script::{Postinst, Prerm};
        for (script, line, action) in [
            (Postinst, "configure", Action::Configure { previous: None }),
            (
                Postinst,
                "configure 0.1.0",
                Action::Configure {
                    previous: Some("0.1.0".into()),
                },
            ),
            (Postinst, "abort-upgrade 0.2.0", Action::Nothing),
            (Postinst, "abort-remove", Action::AbortRemove),
            (
                Postinst,
                "abort-remove in-favour other 1",
                Action::AbortRemove,
            ),
            (
                Postinst,
                "abort-deconfigure in-favour other 1 removing another 2",
                Action::Nothing,
            ),
            (Postinst, "triggered /usr/bin/python3", Action::Triggered),
            (Prerm, "remove", Action::Remove),
            (Prerm, "remove in-favour other 1", Action::Remove),
            (Prerm, "upgrade 0.2.0", Action::Nothing),
            (Prerm, "failed-upgrade 0.1.0 0.2.0", Action::Nothing),
            (
                Prerm,
                "deconfigure in-favour other 1 removing another 2",
                Action::Nothing,
            ),
        ] {
            assert_eq!(parse(script, line).unwrap(), action, "{line}");
        }
        assert!(parse(Prerm, "configure").is_err());
        assert!(parse(Postinst, "").is_err());
    }
}

//! `tljh-proxy status`

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::cli::StatusOptions;
use crate::clock;
use crate::error::Error;
use crate::https::{Source, Status, Trouble};

/// Where the package keeps the proxy's state.
const STATE_DIR: &str = "/var/lib/tljh-proxy";

/// What somebody who asks has to know first; the order is that of the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well = 0,
    /// The certificate is missing, has expired or soon will, or the last try to get one has failed.
    Attention = 3,
    /// The proxy does not run.
    Down = 4,
}

/// Shows the state of HTTPS; the exit code tells how it is.
///
/// # Errors
/// No proxy has ever written a status there, or it cannot be read.
pub fn run(options: &StatusOptions) -> Result<ExitCode, Error> {
    let given = options.state_dir.clone();
    let variable = || env::var_os("STATE_DIRECTORY").map(PathBuf::from);
    let folder = given.or_else(variable).unwrap_or_else(|| STATE_DIR.into());
    let status = Status::read(&folder).map_err(|source| Error::Status {
        path: Status::path(&folder),
        source,
    })?;
    let is_running = status.process.is_running();
    let now = SystemTime::now();
    let text = if options.json {
        format!("{:#}\n", to_json(&status, is_running, now))
    } else {
        to_text(&status, is_running, now)
    };
    // A reader that has gone away has no use for the rest.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::from(judge(&status, is_running, now) as u8))
}

fn judge(status: &Status, is_running: bool, now: SystemTime) -> Verdict {
    let lives = status
        .certificate
        .as_ref()
        .is_some_and(|facts| !facts.is_ending(now));
    if !is_running {
        Verdict::Down
    } else if status.source == Source::None || (lives && status.last_error.is_none()) {
        Verdict::Well
    } else {
        Verdict::Attention
    }
}

fn to_json(status: &Status, is_running: bool, now: SystemTime) -> Value {
    let mut json = serde_json::to_value(status).unwrap_or_default();
    if let Some(members) = json.as_object_mut() {
        members.insert("running".into(), is_running.into());
        let verdict = match judge(status, is_running, now) {
            Verdict::Well => "well",
            Verdict::Attention => "attention",
            Verdict::Down => "down",
        };
        members.insert("verdict".into(), verdict.into());
    }
    if let Some(facts) = &status.certificate {
        json["certificate"]["days_left"] = json!(facts.days_left(now));
    }
    json
}

fn to_text(status: &Status, is_running: bool, now: SystemTime) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line(
        "proxy",
        if is_running {
            "running"
        } else {
            "not running; this is what it wrote last"
        },
    );
    let source = match status.source {
        Source::None => "off",
        Source::Own => "with an own certificate",
        Source::Acme => "with a certificate from a CA",
    };
    line("https", source);
    if status.source == Source::None {
        return text;
    }
    if let Some(directory) = &status.directory {
        line("ca", directory);
        line("asked for", &status.domains.join(", "));
    }
    match &status.certificate {
        Some(facts) => {
            line("issuer", &facts.issuer);
            line("names", &facts.names.join(", "));
            let days = facts.days_left(now);
            let left = match days {
                ..=-1 => "expired".to_string(),
                1 => "1 day left".to_string(),
                0.. => format!("{days} days left"),
            };
            line(
                "expires",
                &format!("{} ({left})", clock::readable(facts.not_after)),
            );
        }
        None => line("certificate", "none that browsers believe"),
    }
    line(
        "http",
        if status.redirects {
            "sends everybody on to https"
        } else {
            "serves as if https were off, until there is a certificate"
        },
    );
    if let Some(trouble) = &status.last_error {
        let Trouble { at, what, hint } = trouble;
        line("last error", &format!("{what} ({})", clock::readable(*at)));
        if let Some(hint) = hint {
            line("hint", hint);
        }
        if status.failures > 1 {
            line("failures", &format!("{} in a row", status.failures));
        }
    }
    for warning in &status.warnings {
        line("warning", warning);
    }
    if let Some(next) = status.next_try {
        let told = if status.told_to_wait {
            ", as the CA has asked for"
        } else {
            ""
        };
        line("next try", &format!("{}{told}", clock::readable(next)));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tls::Facts;

    fn time(days: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + clock::DAY * u32::try_from(days).unwrap()
    }

    fn status() -> Status {
        Status {
            source: Source::Acme,
            certificate: Some(Facts {
                issuer: "CN=R11,O=Let's Encrypt,C=US".into(),
                names: vec!["hub.example.org".into(), "lab.example.org".into()],
                not_before: time(20_000),
                not_after: time(20_090),
            }),
            redirects: true,
            domains: vec!["hub.example.org".into()],
            directory: Some("https://ca.example/directory".into()),
            next_try: Some(time(20_060)),
            ..Status::default()
        }
    }

    #[test]
    fn what_is_served_until_when_and_what_comes_next_is_told() {
        assert_eq!(
            to_text(&status(), true, time(20_001)),
            "proxy        running\n\
             https        with a certificate from a CA\n\
             ca           https://ca.example/directory\n\
             asked for    hub.example.org\n\
             issuer       CN=R11,O=Let's Encrypt,C=US\n\
             names        hub.example.org, lab.example.org\n\
             expires      2025-01-02 00:00 UTC (89 days left)\n\
             http         sends everybody on to https\n\
             next try     2024-12-03 00:00 UTC\n"
        );
    }

    #[test]
    fn what_went_wrong_is_told_with_a_command_and_the_next_try() {
        let status = Status {
            certificate: None,
            redirects: false,
            last_error: Some(Trouble {
                at: time(20_000),
                what: "`hub.example.org` has no address in DNS".into(),
                hint: Some("see `getent ahosts hub.example.org`".into()),
            }),
            failures: 3,
            told_to_wait: true,
            warnings: vec!["odd".into()],
            ..status()
        };
        let text = to_text(&status, false, time(20_001));
        for line in [
            "proxy        not running; this is what it wrote last\n",
            "certificate  none that browsers believe\n",
            "http         serves as if https were off, until there is a certificate\n",
            "last error   `hub.example.org` has no address in DNS (2024-10-04 00:00 UTC)\n",
            "hint         see `getent ahosts hub.example.org`\n",
            "failures     3 in a row\n",
            "warning      odd\n",
            "next try     2024-12-03 00:00 UTC, as the CA has asked for\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn the_exit_code_tells_how_it_is() {
        let failed = Status {
            last_error: Some(Trouble {
                at: time(20_000),
                what: String::new(),
                hint: None,
            }),
            ..status()
        };
        let none = Status {
            certificate: None,
            ..status()
        };
        let mut short = status();
        if let Some(facts) = &mut short.certificate {
            facts.not_before = facts.not_after - clock::DAY * 6;
        }
        for (status, is_running, day, verdict) in [
            (status(), true, 20_070, Verdict::Well),
            (status(), true, 20_071, Verdict::Attention),
            (status(), true, 20_091, Verdict::Attention),
            (short, true, 20_088, Verdict::Well),
            (failed, true, 20_001, Verdict::Attention),
            (none, true, 20_001, Verdict::Attention),
            (Status::default(), true, 20_001, Verdict::Well),
            (status(), false, 20_001, Verdict::Down),
        ] {
            assert_eq!(judge(&status, is_running, time(day)), verdict);
        }
        assert_eq!(
            [
                Verdict::Well as u8,
                Verdict::Attention as u8,
                Verdict::Down as u8
            ],
            [0, 3, 4]
        );
    }

    #[test]
    fn programs_get_all_of_it() {
        let json = to_json(&status(), true, time(20_001) + Duration::from_secs(1));
        assert_eq!(json["certificate"]["not_after"], "2025-01-02T00:00:00Z");
        assert_eq!(json["certificate"]["days_left"], 88);
        assert_eq!(
            (&json["running"], &json["verdict"]),
            (&json!(true), &json!("well"))
        );
        assert_eq!(
            (&json["source"], &json["last_error"]),
            (&json!("acme"), &json!(null))
        );
    }
}

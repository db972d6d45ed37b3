//! config.yaml, word for word; the snippets; and whatever else stood beside them, which the configuration may name.

use std::path::Path;

use serde::Deserialize;
use tljh_machine::{Paths, Runner, files};
use tljh_settings::Settings;
use tljh_terminal::{Hinted as _, render_error};

use super::copies::copy_entries;
use super::error::AdoptError;
use crate::commands::check_traits;

const CONFIG: &str = "config.yaml";
const SNIPPETS: &str = "jupyterhub_config.d";
/// Where there is no config.yaml, upstream's defaults hold.
const EMPTY: &str = "# Taken over from an installation without a config.yaml.\n{}\n";

/// Copies all of it to `/etc/tljh`.
pub fn take(paths: &Paths) -> Result<Vec<String>, AdoptError> {
    let kept = paths.upstream();
    let (now, earlier) = (kept.join("config"), kept.clone());
    let mut told = Vec::new();
    files::ensure_folder(&paths.hub_snippets(), 0o700)?;
    let text = match [now.join(CONFIG), earlier.join(CONFIG)]
        .into_iter()
        .find(|path| path.exists())
    {
        Some(path) => {
            told.push(format!(
                "the configuration is in {}, word for word",
                paths.config_yaml().display()
            ));
            files::read(&path)?
        }
        None => EMPTY.to_string(),
    };
    files::write_atomically(&paths.config_yaml(), text.as_bytes(), 0o600)?;
    told.extend(remarks(&text));
    // Upstream's migrator lets the newer one win.
    let mut snippets = copy_entries(&earlier.join(SNIPPETS), &paths.hub_snippets(), |_| true)?;
    snippets.extend(copy_entries(
        &now.join(SNIPPETS),
        &paths.hub_snippets(),
        |_| true,
    )?);
    if !snippets.is_empty() {
        told.push(format!("snippets: {}", snippets.join(", ")));
    }
    let is_other =
        |name: &str| ![CONFIG, "config.yaml.lock", SNIPPETS, "traefik_config.d"].contains(&name);
    let others = copy_entries(&now, &paths.configuration(), is_other)?;
    if !others.is_empty() {
        told.push(format!(
            "beside the configuration, as they were: {}",
            others.join(", ")
        ));
    }
    told.extend(of_the_proxy(&now.join("traefik_config.d")));
    Ok(told)
}

/// What of the configuration does not mean what it meant.
fn remarks(text: &str) -> Vec<String> {
    let settings = match Settings::parse(text) {
        Ok(settings) => settings,
        Err(error) => {
            let hint = error.hint();
            return vec![format!(
                "the hub cannot start with this configuration\n{}",
                render_error(&error, hint.as_deref()).trim_end()
            )];
        }
    };
    let mut remarks: Vec<String> = settings
        .unknown
        .iter()
        .map(|unknown| format!("config.yaml: {unknown}"))
        .collect();
    if text.lines().any(|line| line.starts_with("traefik_api:")) {
        remarks.push("config.yaml: `traefik_api` is not used any more, and may stay".into());
    }
    if settings.https.enabled && settings.https.tls.cert.is_empty() {
        remarks.push(format!(
            "a new certificate is fetched for {}; Let's Encrypt needs port 443 or 80 from outside, as before",
            settings.https.letsencrypt.domains.join(", ")
        ));
    }
    remarks
}

/// Traefik's own settings, which the proxy of now does not read.
fn of_the_proxy(folder: &Path) -> Vec<String> {
    let found = files::list_folder(folder).unwrap_or_default();
    found
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| {
            format!(
                "{} is not used: it is Traefik's; see docs/proxy.md for what the proxy can do",
                path.display()
            )
        })
        .collect()
}

/// What the hub's Python says of a setting or a snippet.
#[derive(Debug, Deserialize)]
struct Remark {
    key: String,
    what: String,
    severity: String,
}

/// What of the configuration and the snippets the new hub does not understand. The administrator's to mend: it fails
/// nothing.
pub fn check(paths: &Paths, runner: &dyn Runner) -> Vec<String> {
    // What the settings themselves are about was told.
    let Ok(settings) = Settings::load(&paths.config_yaml()) else {
        return Vec::new();
    };
    let answer = match check_traits::ask(paths, runner, &settings) {
        Ok(answer) => answer,
        Err(error) => return vec![format!("the configuration could not be checked: {error}")],
    };
    let remarks: Vec<Remark> = serde_json::from_str(&answer).unwrap_or_default();
    let mut told: Vec<String> = remarks
        .iter()
        .map(|remark| match remark.key.as_str() {
            "" => format!("{}: {}", remark.severity, remark.what),
            key => format!("{}: `{key}` {}", remark.severity, remark.what),
        })
        .collect();
    if remarks.iter().any(|remark| remark.severity == "error") {
        told.push("hint: when that is corrected, run `sudo tljh-config reload`".into());
    }
    told
}

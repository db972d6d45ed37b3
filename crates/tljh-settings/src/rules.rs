//! Rules about several keys together.

use ipnet::IpNet;
use serde_json::Value;

use crate::check::{Finding, Severity};
use crate::key::KEYS;
use crate::model::JsonObject;
use crate::place::Step;

const CERTIFICATE: [&str; 2] = ["https.tls.cert", "https.tls.key"];
const LETS_ENCRYPT: [&str; 2] = ["https.letsencrypt.email", "https.letsencrypt.domains"];

/// Checks a complete tree, defaults included.
pub(crate) fn check(tree: &JsonObject) -> Vec<Finding> {
    let get = |key: &str| {
        key.split('.')
            .try_fold(None, |value: Option<&Value>, part| match value {
                None => tree.get(part).map(Some),
                Some(value) => value.get(part).map(Some),
            })
            .flatten()
    };
    let given = |key: &str| match get(key) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        _ => false,
    };
    let enabled = get("https.enabled") == Some(&Value::Bool(true));
    let whole = |pair: [&str; 2]| pair.iter().all(|key| given(key));
    let served = whole(CERTIFICATE) || whole(LETS_ENCRYPT);
    let severity = if enabled && !served {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut findings = Vec::new();
    for [first, second] in [CERTIFICATE, LETS_ENCRYPT] {
        for (there, missing) in [(first, second), (second, first)] {
            if given(there) && !given(missing) {
                findings.push(finding(severity, there, format!("needs `{missing}` too")));
            }
        }
    }
    if enabled && !served && findings.is_empty() {
        let what = "needs a certificate and its key (`https.tls.cert`, `https.tls.key`), or an address and domains for \
                    Let's Encrypt (`https.letsencrypt.email`, `https.letsencrypt.domains`)";
        findings.push(finding(Severity::Error, "https.enabled", what.to_string()));
    }
    if enabled && get("http.port") == get("https.port") {
        let what = "must be another port than `http.port`".to_string();
        findings.push(finding(Severity::Error, "https.port", what));
    }
    let trusted = get("http.trusted_proxies").and_then(Value::as_array);
    for (index, network) in trusted.into_iter().flatten().enumerate() {
        let network = network.as_str().and_then(|text| text.parse::<IpNet>().ok());
        if network.is_some_and(|network| network.prefix_len() == 0) {
            let what = "lets everybody lie about their own address and about HTTPS";
            let mut finding = finding(Severity::Warning, "http.trusted_proxies", what.to_string());
            finding.path.push(Step::Index(index));
            findings.push(finding);
        }
    }
    findings
}

/// A warning for each section of the file whose keys nothing reads in this version.
pub(crate) fn without_effect(root: &Value) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for key in KEYS {
        let path: Vec<&str> = key.name.split('.').collect();
        let set = path
            .iter()
            .try_fold(root, |value, part| value.get(part))
            .is_some();
        let (Some(why), Some(section)) = (key.unused.filter(|_| set), path.first()) else {
            continue;
        };
        let finding = Finding {
            at_key: true,
            ..finding(Severity::Warning, section, format!("has no effect: {why}"))
        };
        if findings.last() != Some(&finding) {
            findings.push(finding);
        }
    }
    findings
}

fn finding(severity: Severity, key: &str, what: String) -> Finding {
    Finding::new(severity, &key.split('.').collect::<Vec<_>>(), what)
}

//! `tljh-config example nginx|apache`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use handlebars::Handlebars;
use serde::Serialize;
use tljh_settings::{Http, Settings};

use super::{Target, print};
use crate::cli::{ExampleArgs, OtherProxy};
use crate::error::Error;

/// A port for the proxy where the one that it has is the other program's.
const ANOTHER_PORT: u16 = 8000;

/// Prints what the other program needs, and which settings it takes on our side.
pub fn run(target: &Target, words: &ExampleArgs) -> Result<(), Error> {
    let text = target.store()?.read_text()?;
    let mut settings = Settings::parse(&text)?;
    if let Some(name) = &words.name {
        settings.https.letsencrypt.domains = vec![name.clone()];
    }
    let site = Site::new(&settings, words.tls, &target.program());
    print(&render(words.program, &site)?)
}

/// What the templates are filled with; text is empty where there is none.
#[derive(Debug, Serialize)]
struct Site {
    /// What is to be run on our side first.
    commands: Vec<String>,
    /// Names of the host with spaces between, the first of them, and the others.
    names: String,
    name: String,
    aliases: String,
    /// Path of the hub, with a slash at its end, and without one but for the root.
    base_url: String,
    location: String,
    /// Where the proxy listens: a path, or else an address with a port.
    socket: String,
    address: String,
    tls: bool,
    certificate: String,
    key: String,
}

impl Site {
    fn new(settings: &Settings, tls: bool, program: &str) -> Self {
        let Http { port, socket, .. } = &settings.http;
        let mut commands = Vec::new();
        let mut command = |words: &str| commands.push(format!("{program} {words}"));
        let address = match settings.http.address.parse::<IpAddr>() {
            Ok(address) if !address.is_unspecified() => address,
            _ => {
                // Nobody is to get past the other program.
                command("set http.address 127.0.0.1");
                Ipv4Addr::LOCALHOST.into()
            }
        };
        let port = if matches!(port, 80 | 443) {
            command(&format!("set http.port {ANOTHER_PORT}"));
            ANOTHER_PORT
        } else {
            *port
        };
        if settings.https.enabled {
            command("set https.enabled false");
        }
        // Whoever connects to an address of this machine from this machine does so from the same one.
        if socket.is_empty() && !settings.http.trusts(address) {
            command(&format!("add-item http.trusted_proxies {address}"));
        }
        if !commands.is_empty() {
            commands.push(format!("{program} reload proxy"));
        }
        let names = &settings.https.letsencrypt.domains;
        let (certificate, key) = certificate(settings);
        let base_url = &settings.base_url;
        Self {
            commands,
            names: names.join(" "),
            name: names.first().cloned().unwrap_or_default(),
            aliases: names.get(1..).unwrap_or_default().join(" "),
            base_url: base_url.clone(),
            location: match base_url.trim_end_matches('/') {
                "" => "/".to_string(),
                path => path.to_string(),
            },
            socket: socket.clone(),
            address: SocketAddr::new(address, port).to_string(),
            tls,
            certificate,
            key,
        }
    }
}

/// The files of the certificate: those of our own, or where certbot and Debian put one.
fn certificate(settings: &Settings) -> (String, String) {
    let own = &settings.https.tls;
    if !own.cert.is_empty() {
        return (own.cert.clone(), own.key.clone());
    }
    match settings.https.letsencrypt.domains.first() {
        Some(name) => {
            let folder = format!("/etc/letsencrypt/live/{name}");
            (
                format!("{folder}/fullchain.pem"),
                format!("{folder}/privkey.pem"),
            )
        }
        None => (
            "/etc/ssl/certs/hub.pem".into(),
            "/etc/ssl/private/hub.key".into(),
        ),
    }
}

fn render(program: OtherProxy, site: &Site) -> Result<String, Error> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    // Within double quotes, both programs read these two so. What stands without quotes has none of them.
    registry.register_escape_fn(|text| text.replace('\\', "\\\\").replace('"', "\\\""));
    let template = match program {
        OtherProxy::Nginx => include_str!("../../templates/nginx.conf.hbs"),
        OtherProxy::Apache => include_str!("../../templates/apache.conf.hbs"),
    };
    Ok(registry.render_template(template, site).map_err(Box::new)?)
}

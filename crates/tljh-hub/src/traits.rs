//! From settings to JupyterHub's traits, as JSON that its configuration file loads.

use std::path::Path;

use serde_json::{Map, Value, json};
use tljh_machine::Paths;
use tljh_machine::services::{HUB_PORT, LOOPBACK, PROXY_API_PORT};
use tljh_settings::{Cull, Settings};
use tljh_terminal::Secret;

use crate::first_use::authenticator_class;

/// Pages of ours, which extend JupyterHub's.
const TEMPLATES: &str = "/usr/share/tljh/templates";
/// Snippets of packages, loaded before the administrator's.
const VENDOR_SNIPPETS: &str = "/usr/share/tljh/jupyterhub_config.d";

/// What `jupyterhub_config.py` loads: `traits` by class, folders of snippets in order, the administrator's
/// being the last, and the file that the first login removes. It holds secrets.
pub fn render_traits(
    settings: &Settings,
    paths: &Paths,
    snippets: &Path,
    proxy_token: &Secret,
) -> Value {
    let mut classes = Map::new();
    // Traits of the configuration go in first, so that they cannot undo what the services rely on.
    for (class, traits) in &settings.auth.classes {
        classes.insert(class.clone(), Value::Object(traits.clone()));
    }
    for (class, traits) in [
        ("JupyterHub", hub(settings, paths)),
        ("ConfigurableHTTPProxy", proxy(proxy_token)),
        ("Authenticator", authenticator(settings)),
        (
            "FirstUseAuthenticator",
            json!({"dbm_path": paths.password_database()}),
        ),
        ("Spawner", spawner(settings)),
        ("SystemdSpawner", systemd_spawner(paths)),
        (
            "UserCreatingSpawner",
            json!({
                "shared_jupyter": paths.shared_jupyter(),
                "user_groups": settings.users.extra_user_groups,
            }),
        ),
    ] {
        let entry = classes.entry(class).or_insert_with(|| json!({}));
        if let (Value::Object(entry), Value::Object(traits)) = (entry, traits) {
            entry.extend(traits);
        }
    }
    json!({
        "traits": classes,
        "snippets": [Path::new(VENDOR_SNIPPETS), snippets],
        "initial_admin_password": paths.initial_admin_password(),
    })
}

fn hub(settings: &Settings, paths: &Paths) -> Value {
    let mut services = Vec::new();
    let mut roles = Vec::new();
    if settings.services.cull.enabled {
        services.push(cull_service(&settings.services.cull, paths));
        roles.push(cull_role(&settings.services.cull));
    }
    json!({
        "authenticator_class": authenticator_class(&settings.auth.class),
        "bind_url": format!("http://{LOOPBACK}:{}{}", settings.http.port, settings.base_url),
        "cleanup_proxy": false,
        "cleanup_servers": false,
        "cookie_secret_file": paths.cookie_secret(),
        "db_url": format!("sqlite:///{}", paths.hub_database().display()),
        "hub_ip": LOOPBACK,
        "hub_port": HUB_PORT,
        // The least that JupyterHub knows: servers that are slow to answer must not keep the hub from doing so.
        "init_spawners_timeout": 1,
        "template_paths": [TEMPLATES],
        "load_roles": roles,
        "services": services,
        "spawner_class": "tljh.user_creating_spawner.UserCreatingSpawner",
    })
}

fn proxy(token: &Secret) -> Value {
    json!({
        "api_url": format!("http://{LOOPBACK}:{PROXY_API_PORT}"),
        "auth_token": token.expose(),
        "should_start": false,
    })
}

fn authenticator(settings: &Settings) -> Value {
    json!({
        "admin_users": settings.users.admin,
        "allowed_users": settings.users.allowed,
        "blocked_users": settings.users.banned,
    })
}

fn spawner(settings: &Settings) -> Value {
    json!({
        "cpu_limit": settings.limits.cpu,
        "default_url": settings.user_environment.default_app.url(),
        // JupyterHub's own 30 s are too few where a whole class logs in at once on a small server.
        "http_timeout": 120,
        "mem_limit": settings.limits.memory.map(tljh_settings::Memory::bytes),
        "start_timeout": 120,
    })
}

fn systemd_spawner(paths: &Paths) -> Value {
    let bin = paths.user_environment().join("bin");
    json!({
        "cmd": [bin.join("jupyterhub-singleuser")],
        "default_shell": "/bin/bash",
        "extra_paths": [bin],
        "isolate_tmp": true,
        "slice": "tljh-users.slice",
        "unit_name_template": "",
        "unit_extra_properties": {"Description": "JupyterHub server of a user"},
    })
}

/// The idle culler, with the options that upstream gives it.
fn cull_service(cull: &Cull, paths: &Paths) -> Value {
    let mut command = vec![
        paths.hub_python().display().to_string(),
        "-m".into(),
        "jupyterhub_idle_culler".into(),
        format!("--timeout={}", cull.timeout),
        format!("--cull-every={}", cull.every),
        format!("--concurrency={}", cull.concurrency),
        format!("--max-age={}", cull.max_age),
    ];
    if cull.users {
        command.push("--cull-users".into());
    }
    if cull.remove_named_servers {
        command.push("--remove-named-servers".into());
    }
    json!({"name": "cull-idle", "command": command})
}

fn cull_role(cull: &Cull) -> Value {
    let mut scopes = vec![
        "list:users",
        "read:users:activity",
        "read:servers",
        "delete:servers",
    ];
    if cull.users {
        scopes.push("admin:users");
    }
    json!({"name": "cull-idle", "scopes": scopes, "services": ["cull-idle"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Value {
        let settings = Settings::parse(text).unwrap();
        let paths = Paths::default();
        let token = Secret::new("t0ken");
        render_traits(&settings, &paths, &paths.hub_snippets(), &token)["traits"].take()
    }

    #[test]
    fn defaults_are_upstreams() {
        let traits = rendered("");
        assert_eq!(
            traits["JupyterHub"]["authenticator_class"],
            "tljh.first_use.FirstUseAuthenticator"
        );
        assert_eq!(traits["JupyterHub"]["bind_url"], "http://127.0.0.1:80/");
        assert_eq!(traits["FirstUseAuthenticator"]["create_users"], false);
        assert_eq!(traits["Spawner"]["default_url"], "/lab");
        assert_eq!(traits["Spawner"]["mem_limit"], Value::Null);
        assert_eq!(
            traits["JupyterHub"]["services"][0]["command"],
            json!([
                "/opt/tljh/hub/bin/python",
                "-m",
                "jupyterhub_idle_culler",
                "--timeout=600",
                "--cull-every=60",
                "--concurrency=5",
                "--max-age=0"
            ])
        );
    }

    #[test]
    fn every_key_reaches_its_trait() {
        let traits = rendered(
            "base_url: /jupyter
auth: {type: dummy, DummyAuthenticator: {password: pw}}
users: {allowed: [a, 12], banned: [b], admin: [c], extra_user_groups: {video: [a]}}
limits: {memory: 2G, cpu: 1.5}
http: {port: 8080}
user_environment: {default_app: classic}
services: {cull: {timeout: 1, every: 2, concurrency: 3, users: true, max_age: 4, remove_named_servers: true}}
",
        );
        assert_eq!(
            traits["JupyterHub"]["bind_url"],
            "http://127.0.0.1:8080/jupyter/"
        );
        assert_eq!(traits["JupyterHub"]["authenticator_class"], "dummy");
        assert_eq!(traits["DummyAuthenticator"]["password"], "pw");
        assert_eq!(traits["Authenticator"]["allowed_users"], json!(["a", "12"]));
        assert_eq!(traits["Authenticator"]["blocked_users"], json!(["b"]));
        assert_eq!(traits["Authenticator"]["admin_users"], json!(["c"]));
        assert_eq!(
            traits["UserCreatingSpawner"]["user_groups"],
            json!({"video": ["a"]})
        );
        assert_eq!(
            traits["UserCreatingSpawner"]["shared_jupyter"],
            "/opt/tljh/envs/.jupyter"
        );
        assert_eq!(traits["Spawner"]["mem_limit"], 2_u64 << 30);
        assert_eq!(traits["Spawner"]["cpu_limit"], 1.5);
        assert_eq!(traits["Spawner"]["default_url"], "/tree");
        let culler = traits["JupyterHub"]["services"][0]["command"].to_string();
        for option in [
            "--timeout=1",
            "--cull-every=2",
            "--concurrency=3",
            "--max-age=4",
            "--cull-users",
            "--remove-named-servers",
        ] {
            assert!(culler.contains(option), "{culler}");
        }
    }

    #[test]
    fn a_culler_that_is_off_leaves_neither_service_nor_role() {
        let traits = rendered("services: {cull: {enabled: false}}");
        assert_eq!(traits["JupyterHub"]["services"], json!([]));
        assert_eq!(traits["JupyterHub"]["load_roles"], json!([]));
    }
}

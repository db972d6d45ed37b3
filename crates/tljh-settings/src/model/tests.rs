use tljh_terminal::Hinted as _;

use super::*;

fn parse(text: &str) -> Settings {
    Settings::parse(text).unwrap()
}

fn refusal(text: &str) -> String {
    Settings::parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_gives_upstreams_defaults() {
    for text in [
        "",
        "\n",
        "# nothing\n",
        "{}",
        "---\n",
        "null",
        "\u{feff}",
        "users:\nhttp: {}\n",
    ] {
        let settings = parse(text);
        assert_eq!(settings, parse(""), "{text:?}");
        assert_eq!(settings.base_url, "/");
        assert_eq!(
            settings.auth.class,
            "firstuseauthenticator.FirstUseAuthenticator"
        );
        assert_eq!(
            settings.auth.classes["FirstUseAuthenticator"]["create_users"],
            false
        );
        assert_eq!(
            settings.limits,
            Limits {
                memory: None,
                cpu: None
            }
        );
        assert_eq!(
            settings.http,
            Http {
                address: String::new(),
                port: 80,
                trusted_proxies: Vec::new(),
                socket: String::new(),
                socket_group: "www-data".to_string(),
            }
        );
        assert_eq!((settings.https.enabled, settings.https.port), (false, 443));
        assert_eq!(
            settings.user_environment.default_app,
            DefaultApp::Jupyterlab
        );
        let cull = &settings.services.cull;
        assert_eq!(
            (cull.enabled, cull.timeout, cull.every, cull.concurrency),
            (true, 600, 60, 5)
        );
        assert_eq!(
            (cull.users, cull.max_age, cull.remove_named_servers),
            (false, 0, false)
        );
        assert!(settings.unknown.is_empty());
    }
}

#[test]
fn one_configuration_does_not_change_the_defaults_of_the_next() {
    parse("services: {cull: {users: true}}\nauth: {FirstUseAuthenticator: {create_users: true}}");
    assert!(!parse("").services.cull.users);
}

#[test]
fn numbers_in_place_of_names_stay_names() {
    let names = "12345, 007, ada, 0x10, 1e3, 1_000, 1.50, 2024-01-01, 99999999999999999999, no";
    let settings = parse(&format!("users: {{allowed: [{names}], admin: ['1']}}"));
    assert_eq!(settings.users.allowed.join(", "), names);
    assert!(refusal("users: {allowed: [true]}").contains("`users.allowed[0]`"));
    assert!(refusal("users: {allowed: [~]}").contains("a user name"));
    assert!(refusal("users: {allowed: ['ada ']}").contains("without spaces"));
    assert!(refusal("users: {allowed: ada}").contains("wanted a list"));
}

#[test]
fn memory_is_read_as_jupyterhub_reads_it() {
    let memory = |text: &str| {
        parse(&format!("limits: {{memory: {text}}}"))
            .limits
            .memory
            .map(Memory::bytes)
    };
    assert_eq!(memory("2G"), Some(2 << 30));
    assert_eq!(memory("512M"), Some(512 << 20));
    assert_eq!(memory("1.5G"), Some(3 << 29));
    assert_eq!(memory("1073741824"), Some(1 << 30));
    assert_eq!(memory("'1073741824'"), Some(1 << 30));
    assert_eq!(memory("null"), None);
    for wrong in [
        "1.5",
        "0",
        "512",
        "2GB",
        "2g",
        "-1G",
        "lots",
        "''",
        "G",
        "inf G",
        "1e9G",
        "99999999T",
    ] {
        assert!(
            refusal(&format!("limits: {{memory: {wrong}}}")).contains("`limits.memory`"),
            "{wrong}"
        );
    }
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for (key, wrong) in [
        ("limits.cpu", "0"),
        ("limits.cpu", "-1"),
        ("limits.cpu", "two"),
        ("http.port", "0"),
        ("http.port", "99999"),
        ("http.port", "'80'"),
        ("http.address", "localhost"),
        ("https.letsencrypt.email", "teacher"),
        ("https.letsencrypt.domains", "[a b]"),
        ("services.cull.timeout", "-1"),
        ("services.cull.every", "0"),
        ("services.cull.enabled", "1"),
        ("user_environment.default_app", "nteract"),
        ("base_url", "http://x/"),
        ("https.tls.key", "key.pem"),
        ("users", "ada"),
        ("auth.type", "''"),
    ] {
        let mut text = wrong.to_string();
        for part in key.rsplit('.') {
            text = format!("{{{part}: {text}}}");
        }
        assert!(
            refusal(&text).contains(&format!("`{key}")),
            "{text}: {}",
            refusal(&text)
        );
    }
}

#[test]
fn base_url_begins_and_ends_with_a_slash() {
    for (written, read) in [
        ("jupyter", "/jupyter/"),
        ("/a/b", "/a/b/"),
        ("//", "/"),
        ("''", "/"),
    ] {
        assert_eq!(parse(&format!("base_url: {written}")).base_url, read);
    }
}

#[test]
fn authenticator_settings_follow_upstreams_rules() {
    let settings = parse(
        "auth:\n  type: dummy\n  DummyAuthenticator: {password: x, a: null}\n  LDAPAuthenticator: {b: [1]}\n",
    );
    assert_eq!(settings.auth.class, "dummy");
    assert_eq!(settings.auth.classes["DummyAuthenticator"].len(), 1);
    assert_eq!(
        settings.auth.classes["FirstUseAuthenticator"]["create_users"],
        false
    );
    let emptied = parse("auth: {FirstUseAuthenticator: {create_users: null}}");
    assert!(emptied.auth.classes["FirstUseAuthenticator"].is_empty());
    assert!(refusal("auth: {foo: 1}").contains("`auth.foo`"));
    assert!(refusal("auth: {foo: {}}").contains("`auth.foo`"));
    assert!(refusal("auth: {Foo: 1}").contains("`auth.Foo`"));
}

#[test]
fn one_name_stored_as_text_is_a_group_of_one() {
    let settings = parse("users: {extra_user_groups: {disk: ada, video: [ada, 12]}}");
    assert_eq!(settings.users.extra_user_groups["disk"], ["ada"]);
    assert_eq!(settings.users.extra_user_groups["video"], ["ada", "12"]);
    for wrong in ["-x", "a:b", "a,b", "", "a/b"] {
        let text = format!("users: {{extra_user_groups: {{'{wrong}': [ada]}}}}");
        assert!(
            refusal(&text).contains("wanted a name of a Unix group"),
            "{wrong}"
        );
    }
}

#[test]
fn keys_of_plugins_are_kept_and_typing_errors_are_noticed() {
    let settings = parse(
        "shared_dir: {path: /srv}\nservices: {extra: {a: 1}}\nuser: {}\nhttp: {prot: 1}\nhttp.port: 1\n",
    );
    assert_eq!(settings.other["shared_dir"]["path"], "/srv");
    assert_eq!(settings.services.other["extra"]["a"], 1);
    assert_eq!(settings.http.port, 80);
    let unknown: Vec<String> = settings.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(
        unknown,
        [
            "unknown key `shared_dir`",
            "unknown key `user`, did you mean `users`?",
            "unknown key `http.prot`, did you mean `http.port`?",
            "unknown key `http.port`, did you mean `http.port`?",
        ]
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let text = refusal("http: {port: 0}\nlimits: {cpu: 0}\n");
    assert!(text.contains("http.port") && text.contains("limits.cpu"));
}

#[test]
fn trusted_are_the_addresses_and_what_lies_in_the_networks() {
    let http = parse("http: {trusted_proxies: [192.0.2.1, 10.0.0.0/8, '2001:db8::/32']}").http;
    for (address, expected) in [
        ("192.0.2.1", true),
        ("192.0.2.2", false),
        ("10.255.0.1", true),
        ("2001:db8::9", true),
        ("::1", false),
    ] {
        assert_eq!(http.trusts(address.parse().unwrap()), expected, "{address}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let settings = parse(
        "auth: {X: {client_secret: hunter2}}\nplugin: hunter2\nservices: {s: {token: hunter2}}",
    );
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn what_is_not_yaml_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    assert_eq!(Settings::load(&path).unwrap(), parse(""));
    std::fs::write(&path, "a: [1\n").unwrap();
    assert!(
        Settings::load(&path)
            .unwrap_err()
            .to_string()
            .contains("config.yaml")
    );
    for text in ["- a\n", "a: 1\na: 2\n", "a: !x 1\n", "a: 1\n---\nb: 2\n"] {
        Settings::parse(text).unwrap_err();
    }
}

#[test]
fn the_hint_never_costs_more_than_the_wrong_value() {
    let hint = |text: &str| Settings::parse(text).unwrap_err().hint().unwrap();
    assert!(hint("http: {port: 0}").ends_with("`sudo tljh-config unset http.port`"));
    assert!(hint("users: {allowed: [ada, true]}").ends_with("`sudo tljh-config edit`"));
}

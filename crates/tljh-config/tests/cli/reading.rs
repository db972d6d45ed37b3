//! `get` and `show`.

use super::Bench;

const SECRETS: &str = "# head\nauth:\n  DummyAuthenticator:\n    password: hunter2 # mine\n\
                       services:\n  backup: {api_token: abcdef, url: https://u:pw@host/x, keep: 7}\n";

fn out(text: &str) -> String {
    format!("exit 0\n--- out\n{text}--- err\n")
}

#[test]
fn get_prints_what_a_script_can_use() {
    let bench = Bench::with(
        "limits: {memory: 2G, cpu: null}\nusers: {admin: [ada, '007']}\nplugin: {on: true}\n",
    );
    for (words, printed) in [
        ("get limits.memory", "2G\n"),
        ("get limits.memory --json", "\"2G\"\n"),
        ("get users.admin", "- ada\n- '007'\n"),
        ("get limits", "memory: 2G\ncpu: null\n"),
        ("get plugin.on", "true\n"),
        ("get services.cull.enabled", "true\n"),
        ("get http.port", "80\n"),
        ("get http.port --json", "80\n"),
        ("get traefik_api.port", "8099\n"),
        ("get limits.cpu", ""),
        ("get limits.cpu --json", "null\n"),
        ("get users.extra_user_groups.video", ""),
        ("get auth.GitHubOAuthenticator.client_id", ""),
        ("get auth.GitHubOAuthenticator", "{}\n"),
        ("get users.banned", "[]\n"),
    ] {
        assert_eq!(bench.run(words), out(printed), "{words}");
    }
}

#[test]
fn get_refuses_a_key_that_nobody_knows() {
    assert_eq!(
        Bench::empty().refused("get limits.memori"),
        "exit 1\n--- out\n--- err\nerror: unknown key `limits.memori`, did you mean `limits.memory`?\n\
         hint: try `tljh-config --config-path FILE get limits.memory`\n"
    );
    assert!(
        Bench::empty()
            .refused("get zzzzz")
            .ends_with("hint: try `tljh-config --config-path FILE show --effective`\n")
    );
}

#[test]
fn show_without_options_shows_secrets_as_upstream_does() {
    assert_eq!(Bench::with(SECRETS).run("show"), out(SECRETS));
}

#[test]
fn show_redacted_keeps_the_file_and_masks_its_secrets() {
    let masked = SECRETS
        .replace("hunter2", "'***'")
        .replace("abcdef", "'***'")
        .replace("https://u:pw@host/x", "'https://***@host/x'");
    assert_eq!(Bench::with(SECRETS).run("show --redact"), out(&masked));
    for words in [
        "show --redact --json",
        "show --redact --effective",
        "show --redact --origin",
        "show --redact --origin --json --effective",
        "show --redact auth",
        "show --redact auth.DummyAuthenticator.password",
    ] {
        let seen = Bench::with(SECRETS).run(words);
        assert!(
            seen.starts_with("exit 0\n") && seen.contains("***"),
            "{words}: {seen}"
        );
        for secret in ["hunter2", "abcdef", "u:pw"] {
            assert!(!seen.contains(secret), "{words}: {seen}");
        }
    }
}

#[test]
fn show_prints_one_key_or_section_as_yaml_or_json() {
    let bench = Bench::with("users: {admin: [ada]}\nlimits:\n  memory: 2G\n");
    for (words, printed) in [
        ("show users", "admin:\n- ada\n"),
        ("show limits.memory", "2G\n"),
        ("show limits.memory --json", "\"2G\"\n"),
        ("show http", "{}\n"),
        ("show http.port", "null\n"),
        ("show http.port --effective", "80\n"),
        (
            "show limits --effective --json",
            "{\n  \"memory\": \"2G\",\n  \"cpu\": null\n}\n",
        ),
    ] {
        assert_eq!(bench.run(words), out(printed), "{words}");
    }
    assert!(bench.refused("show usr").contains("unknown key `usr`"));
}

#[test]
fn show_effective_is_the_whole_configuration() {
    let bench = Bench::with("http: {port: 81}\nplugin: {a: 1}\n");
    let seen = bench.run("show --effective");
    for line in [
        "http:",
        "  port: 81",
        "    timeout: 600",
        "  memory: null",
        "  a: 1",
    ] {
        assert!(seen.contains(&format!("\n{line}\n")), "{line}: {seen}");
    }
    assert!(!seen.contains("traefik"), "{seen}");
}

#[test]
fn show_origin_names_the_line_that_sets_each_value() {
    let bench = Bench::with(
        "# head\nusers:\n  admin:\n  - ada\n\n\"http\": {port: 81}\nlimits: {cpu: null}\n",
    );
    assert_eq!(
        bench.run("show --origin"),
        out(
            "users.admin: [\"ada\"]  # config.yaml:3\nhttp.port: 81  # config.yaml:6\nlimits.cpu: null  # default\n"
        )
    );
    assert_eq!(
        bench.run("show http --origin --effective"),
        out(
            "http.address: ''  # default\nhttp.port: 81  # config.yaml:6\nhttp.trusted_proxies: []  # default\n\
             http.socket: ''  # default\nhttp.socket_group: www-data  # default\n"
        )
    );
    assert_eq!(
        bench.run("show http.port --origin --json"),
        out(
            "{\n  \"http.port\": {\n    \"value\": 81,\n    \"origin\": \"config.yaml:6\"\n  }\n}\n"
        )
    );
}

//! `example`: a configuration for another program, and what is to be run on our side first.

use super::Bench;

/// The commands that an example begins with, without the program's name.
fn commands(shown: &str) -> Vec<String> {
    let file = "#     tljh-config --config-path FILE ";
    let commands = shown.lines().filter_map(|line| line.strip_prefix(file));
    commands.map(str::to_string).collect()
}

#[test]
fn the_commands_that_an_example_names_are_all_that_it_takes() {
    for program in ["nginx", "apache"] {
        let bench = Bench::with("https: {enabled: true, tls: {cert: /c.pem, key: /k.pem}}\n");
        let words = format!("example {program} --tls");
        let shown = bench.run(&words);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        let first = commands(&shown);
        assert_eq!(
            first,
            [
                "set http.address 127.0.0.1",
                "set http.port 8000",
                "set https.enabled false",
                "add-item http.trusted_proxies 127.0.0.1",
                "reload proxy",
            ],
            "{program}"
        );
        for command in first.iter().filter(|command| *command != "reload proxy") {
            bench.edited(command);
        }
        let site = bench.run(&words);
        assert_eq!(commands(&site), [""; 0], "{program}");
        assert!(site.contains("127.0.0.1:8000"), "{site}");
        assert!(
            site.contains("\"/c.pem\"") && site.contains("\"/k.pem\""),
            "{site}"
        );
    }
}

#[test]
fn an_example_follows_the_configuration() {
    let bench = Bench::with(
        "base_url: /jupyter\nhttp: {address: '::1', port: 8080, trusted_proxies: ['::/64']}\n\
         https: {letsencrypt: {domains: [hub.example.org, lab.example.org]}}\n",
    );
    let nginx = bench.run("example nginx");
    for line in [
        "    server [::1]:8080;\n",
        "    server_name hub.example.org lab.example.org;\n",
        "    location \"/jupyter/\" {\n",
    ] {
        assert!(nginx.contains(line), "{line} in {nginx}");
    }
    assert_eq!(commands(&nginx), [""; 0]);
    assert!(
        !nginx.contains("443") && !nginx.contains("sites-enabled/default"),
        "{nginx}"
    );
    let apache = bench.run("example apache --tls");
    for line in [
        "    ServerName hub.example.org\n    ServerAlias lab.example.org\n",
        "    <Location \"/jupyter\">\n        ProxyPass \"http://[::1]:8080/jupyter\" ",
        "SSLCertificateFile \"/etc/letsencrypt/live/hub.example.org/fullchain.pem\"\n",
    ] {
        assert!(apache.contains(line), "{line} in {apache}");
    }
    bench.edited("set http.socket /run/tljh-proxy/http.sock");
    let socket = "/run/tljh-proxy/http.sock";
    let nginx = bench.run("example nginx --name other.example.org");
    assert!(
        nginx.contains(&format!("    server unix:{socket};\n")),
        "{nginx}"
    );
    assert!(
        nginx.contains("server_name other.example.org;") && !nginx.contains("8080"),
        "{nginx}"
    );
    let apache = bench.run("example apache");
    assert!(
        apache.contains(&format!("\"unix:{socket}|http://tljh/jupyter\"")),
        "{apache}"
    );
}

#[test]
fn the_root_of_a_site_has_no_second_slash_and_needs_the_default_site_gone() {
    let bench = Bench::with("http: {socket: /run/x.sock, address: 192.0.2.1, port: 8080}\n");
    let apache = bench.run("example apache");
    assert!(
        apache.contains("<Location \"/\">\n        ProxyPass \"unix:/run/x.sock|http://tljh/\" "),
        "{apache}"
    );
    assert!(apache.contains("a2dissite 000-default"), "{apache}");
    let nginx = bench.run("example nginx");
    assert!(
        nginx.contains("server_name _;") && nginx.contains("sites-enabled/default"),
        "{nginx}"
    );
}

#[test]
fn a_file_with_mistakes_gives_no_example_and_is_not_changed() {
    let bench = Bench::with("http: {port: 0}\n");
    let seen = bench.refused("example nginx");
    assert!(
        seen.contains("http.port") && seen.contains("--- out\n---"),
        "{seen}"
    );
    let seen = bench.run("example nginx --name 'a_b'");
    assert!(seen.starts_with("exit 2\n"), "{seen}");
}

#[test]
fn a_network_that_is_none_is_shown_with_a_caret() {
    let bench = Bench::with("http:\n  trusted_proxies: [127.0.0.1, 10.0.0.0/40]\n");
    assert_eq!(
        bench.refused("check"),
        "exit 1\n--- out\nerror: `http.trusted_proxies[1]` is `10.0.0.0/40`, wanted an IP address or a network such as \
         `192.0.2.0/24`\n --> FILE:2:32\n  |\n2 |   trusted_proxies: [127.0.0.1, 10.0.0.0/40]\n  \
         |                                ^^^^^^^^^^^\n--- err\nerror: `FILE` has 1 error\n"
    );
    let seen = bench.refused("add-item http.trusted_proxies nginx");
    assert!(
        seen.contains("is `nginx`, wanted an IP address or a network"),
        "{seen}"
    );
}

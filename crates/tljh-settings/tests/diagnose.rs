//! Where a text is wrong, to the character, and nothing secret in what is shown.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use tljh_settings::{Diagnostic, Severity, diagnose, render_diagnostics};

/// The only diagnostic, as `line:column+length severity message`.
fn only(text: &str) -> String {
    let found = diagnose(text);
    assert_eq!(found.len(), 1, "{text:?}: {found:#?}");
    line(&found[0])
}

fn line(found: &Diagnostic) -> String {
    let Diagnostic {
        line,
        column,
        length,
        severity,
        message,
        ..
    } = found;
    let severity = if *severity == Severity::Error {
        "error"
    } else {
        "warning"
    };
    format!("{line}:{column}+{length} {severity} {message}")
}

/// Texts with « and » around what the only diagnostic must point at.
const PLACES: &[&str] = &[
    "http:\n  port: «0»\n",
    "http: # c\n  # d\n  port:   «99999» # e\n",
    "http: {address: '', port: «0»}\n",
    "\u{feff}http: {port: «0»}\r\n",
    "# é\r\n\r\nhttp:\r\n  port: «'80'»\r\n",
    "users:\n  allowed:\n    - ada\n    - «true»\n    - bob\n",
    "http:\n  trusted_proxies:\n    - 10.0.0.0/8\n    - «10.0.0.0/40» # wide\n",
    "http: {trusted_proxies: [192.0.2.1, «nginx»]}\n",
    "http:\n  socket: «http.sock»\n",
    "users:\n  allowed:\n  - ü\n  - «~»\n",
    "users: {allowed: [ü😀, «true», bob]}\n",
    "users: {extra_user_groups: {video: [ada, «true»]}}\n",
    "users: {extra_user_groups: {«-x»: [ada]}}\n",
    "«limts»: 1\n",
    "a_plugin: 1\nhttp:\n  port: 80\n  «'prot'»: 1\n",
    "base: &b {port: «0»}\nhttp:\n  <<: *b\n",
    "base: &b 0\nhttp: {port: «*b»}\n",
    "x: &a [ada, «false»]\nusers:\n  allowed: *a\n",
    "? http\n: ? port\n  : «0»\n",
    "http:\n  port: «\"80»\n    \"\n",
    "---\nhttp:\n  port: !!int «0»\n...\n",
    "https:\n  enabled: «true»\n",
    "https:\n  enabled: true\n  tls:\n    cert: «/c»\n",
    "https:\n  enabled: true\n  letsencrypt:\n    domains: «[a.org]»\n",
    "https: {enabled: true, port: «80», tls: {cert: /c, key: /k}}\n",
    "auth: {«foo»: 1}\n",
    "auth:\n  «Foo»:\n",
    "http: «80»\n",
    "«- a»\n- b\n",
];

#[test]
fn each_diagnostic_points_at_the_wrong_value_key_or_item() {
    for marked in PLACES {
        let (before, rest) = marked.split_once('«').unwrap();
        let (meant, after) = rest.split_once('»').unwrap();
        let text = format!("{before}{meant}{after}");
        let number = before.matches('\n').count() + 1;
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before[begin..]
            .trim_start_matches('\u{feff}')
            .chars()
            .count()
            + 1;
        let length = meant.chars().count();
        let place = format!("{number}:{column}+{length} error");
        let own = diagnose(&text)
            .into_iter()
            .filter(|found| found.severity == Severity::Error)
            .collect::<Vec<_>>();
        assert_eq!(own.len(), 1, "{text:?}: {own:#?}");
        assert!(
            line(&own[0]).starts_with(&place),
            "{text:?}: {} is not {place}",
            line(&own[0])
        );
    }
}

#[test]
fn to_trust_everybody_is_worth_a_warning() {
    assert_eq!(
        only("http: {trusted_proxies: [192.0.2.1, '::/0']}\n"),
        "1:37+6 warning `http.trusted_proxies[1]` lets everybody lie about their own address and about HTTPS"
    );
}

#[test]
fn what_is_not_yaml_has_its_place_too() {
    for (text, place) in [
        ("a: [1\n", "1:4"),
        ("a: 1\nb: 2: 3\n", "2:5"),
        ("a:\n\tb: 1\n", "2:"),
        ("a: 1\na: 2\n", "2:1"),
        ("a: 1\n---\nb: 2\n", "2:1"),
        ("a: !x 1\n", "1:4"),
        ("a: *nowhere\n", "1:4"),
        ("a: {<<: 5}\n", "1:9"),
        ("? [a]\n: 1\n", "1:"),
        ("a: .inf\n", "1:4"),
    ] {
        let found = only(text);
        assert!(
            found.starts_with(place) && found.contains(" error "),
            "{text:?}: {found}"
        );
    }
}

#[test]
fn a_misspelt_key_is_an_error_and_a_plugins_key_a_warning() {
    assert_eq!(only("limts: {}\n"), "1:1+5 error unknown key `limts`");
    assert_eq!(
        only("http: {prot: 1}\n"),
        "1:8+4 error unknown key `http.prot`"
    );
    assert_eq!(
        only("http: {zzzzzz: 1}\n"),
        "1:8+6 error unknown key `http.zzzzzz`"
    );
    assert_eq!(
        only("my_plugin: {}\n"),
        "1:1+9 warning unknown key `my_plugin`"
    );
    assert_eq!(diagnose("services: {my_plugin: {a: 1}}\n"), []);
    assert_eq!(
        diagnose("limts: {}\n")[0].hint.as_deref(),
        Some("did you mean `limits`?")
    );
}

#[test]
fn https_needs_a_whole_certificate_only_where_it_is_on() {
    let errors = |text: &str| {
        let found = diagnose(&format!("https: {{{text}}}\n"));
        found
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .map(line)
            .collect::<Vec<_>>()
    };
    assert!(errors("enabled: true")[0].contains("`https.enabled` needs a certificate"));
    assert!(errors("enabled: true, tls: {cert: /c}")[0].contains("needs `https.tls.key` too"));
    assert!(
        errors("enabled: true, letsencrypt: {email: a@b.c}")[0]
            .contains("needs `https.letsencrypt.domains` too")
    );
    for text in [
        "enabled: false, tls: {cert: /c}",
        "tls: {key: /k}, letsencrypt: {domains: [a.org]}",
        "enabled: true, tls: {cert: /c, key: /k}",
        "enabled: true, tls: {cert: /c, key: /k}, letsencrypt: {email: a@b.c}",
        "enabled: true, letsencrypt: {email: a@b.c, domains: [a.org]}",
        "port: 80",
    ] {
        assert_eq!(errors(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn all_wrong_items_are_told_in_the_order_of_the_text() {
    let found = diagnose("users: {allowed: [true, ada, false], admin: [~]}\nhttp: {port: 0}\n");
    let places: Vec<(usize, usize)> = found
        .iter()
        .map(|found| (found.line, found.column))
        .collect();
    assert_eq!(places, [(1, 19), (1, 30), (1, 46), (2, 14)]);
}

/// Texts that hold `hunter2`, wherever a secret may be, and something wrong on its line or near it.
const SECRETS: &[&str] = &[
    "traefik_api: {password: [hunter2]}\n",
    "traefik_api: {password: {a: hunter2}, port: 0}\n",
    "plugin: {api_token: hunter2}\n",
    "limts: {client_secret: 'hunter2'}\n",
    "auth: {foo: 1, DummyAuthenticator: {password: hunter2}}\n",
    "auth: {foo: 1, LDAPAuthenticator: {bind_dn_pw: hunter2, lookup: [hunter2]}}\n",
    "x: &p hunter2\nauth: {X: {password: *p}}\n",
    "x: &p {k: hunter2}\nauth: {X: {<<: *p}}\n",
    "auth:\n  X:\n    password: hunter2: 5\n",
    "auth:\n  X:\n    other: hunter2: 5\n",
    "auth:\n  X:\n    password: [hunter2\n  type: x\n",
    "auth:\n  X:\n    password: \"hunter2\n  hunter2\nhttp: 1\n",
    "auth:\n  X:\n    password:\n      hunter2: [\n",
    "auth:\n  X:\n    password: |\n      x\n    \thunter2\n   hunter2: [\n",
    "auth: {X: {password: hunter2, a: [}}\n",
    "auth: {X: {password: !hunter2 x}}\n",
    "auth: {X: {password: !!int hunter2}}\n",
    "password: hunter2\n",
    "secret: *hunter2\n",
    "plugin:\n  token: 'hunter2\n",
    "\u{feff}plugin: {Token: hunter2, b: c: d}\r\n",
];

#[test]
fn nothing_shown_holds_a_secret() {
    for text in SECRETS {
        let found = diagnose(text);
        assert!(!found.is_empty(), "{text:?}");
        let shown = render_diagnostics("config.yaml", &found, false)
            + &serde_json::to_string(&found).unwrap();
        assert!(!shown.contains("hunter2"), "{text:?}\n{shown}");
    }
}

#[test]
fn it_looks_as_compilers_show_it_and_has_no_colour_unless_asked() {
    let text = "users:\n  allowed: [ada, true] # who\nlimts: {}\n";
    let found = diagnose(text);
    let shown = render_diagnostics("/etc/tljh/config.yaml", &found, false);
    let expected = "\
error: `users.allowed[1]` is `true`, wanted a user name; put it in quotes: \"true\"
 --> /etc/tljh/config.yaml:2:18
  |
2 |   allowed: [ada, true] # who
  |                  ^^^^

error: unknown key `limts`
 --> /etc/tljh/config.yaml:3:1
  |
3 | limts: {}
  | ^^^^^
  |
  = hint: did you mean `limits`?
";
    assert_eq!(shown, expected);
    assert!(render_diagnostics("x", &found, true).contains('\u{1b}'));
}

#[test]
fn any_text_can_be_diagnosed_and_shown() {
    for text in [
        "\0",
        "\u{feff}",
        "%",
        "\t",
        "- ",
        "&a",
        "*a",
        "a: \u{7f}\u{85}x\u{2028}: [",
        "\r\r: [\r",
        "a: |9\n x",
        "?",
        "{",
        "[[[[[[",
        "\"",
        "a: &a [*a]\n",
        "a: &a {<<: *a}\n",
        "\u{feff}\u{feff}: ]\n",
        "%YAML 9.9\n---\nx: 1\n",
        "ü: [ö\n",
    ] {
        let found = diagnose(text);
        render_diagnostics("x", &found, false);
    }
    let nested = "[".repeat(5000);
    assert_eq!(diagnose(&nested).len(), 1);
    let bomb: String = (0..30i32)
        .map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1))
        .collect();
    assert_eq!(diagnose(&bomb.replace("*a-1", "x")).len(), 1);
}

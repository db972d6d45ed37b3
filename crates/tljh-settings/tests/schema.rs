//! The schema for editors says what the check says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::Value;
use tljh_settings::{diagnose, parse_yaml, render_schema};

/// Configurations that are right.
const GOOD: &[&str] = &[
    "",
    "users:\nhttp: {}\n",
    "base_url: jupyter\n",
    "base_url: /a/b.c/\n",
    "base_url: ''\n",
    "auth: {type: dummy, DummyAuthenticator: {password: x, y: [1, {z: null}]}}\n",
    "auth: {FirstUseAuthenticator: {create_users: true, other: 1}}\n",
    "auth: {LDAPAuthenticator: {}, _X: {}, Ünder: {}}\n",
    "users: {allowed: [ada, 12345, 007, 'x y', \"李\"], banned: [], admin: null}\n",
    "users: {extra_user_groups: {video: [ada], disk: ada, audio: null, 12: [1]}}\n",
    "limits: {memory: 2G, cpu: 0.5}\n",
    "limits: {memory: 1.5G, cpu: null}\n",
    "limits: {memory: 1073741824, cpu: 4}\n",
    "limits: {memory: '1073741824'}\n",
    "limits: {memory: 2048K}\n",
    "http: {address: 192.0.2.1, port: 8080}\n",
    "http: {address: '2001:db8::1'}\n",
    "http: {address: ''}\n",
    "http: {trusted_proxies: [192.0.2.1, 10.0.0.0/8, '::1', '2001:db8::/32']}\n",
    "http: {socket: /run/tljh-proxy/http.sock, socket_group: www-data}\n",
    "http: {trusted_proxies: [], socket: ''}\n",
    "user_environment: {channels: [conda-forge, conda-forge/label/dev, 'https://example.org/c', 'file:///srv/c']}\n",
    "user_environment: {channels: []}\n",
    "https: {tls: {key: /k, cert: /c}, port: 8443}\n",
    "https: {letsencrypt: {email: a.b+c@example.org, domains: [hub.example.org, xn--mnchen-3ya.de]}}\n",
    "user_environment: {default_app: classic}\n",
    "services: {cull: {enabled: false, timeout: 3600, max_age: 0, concurrency: 1000}}\n",
    "services: {plugin: [1], other: x, more: {a: null}}\n",
];

/// Configurations with one thing wrong.
const BAD: &[&str] = &[
    "[]\n",
    "text\n",
    "limts: {memory: 2G}\n",
    "http: {prot: 1}\n",
    "http.port: 80\n",
    "http: 80\n",
    "base_url: http://x/\n",
    "base_url: /a/../b\n",
    "base_url: /a b\n",
    "base_url: 5\n",
    "auth: {foo: 1}\n",
    "auth: {foo: {}}\n",
    "auth: {Foo: 1}\n",
    "auth: {type: ''}\n",
    "auth: {type: [x]}\n",
    "auth: {FirstUseAuthenticator: {create_users: 5}}\n",
    "users: {allowed: ada}\n",
    "users: {allowed: [true]}\n",
    "users: {allowed: [~]}\n",
    "users: {allowed: ['']}\n",
    "users: {allowed: ['ada ']}\n",
    "users: {allowed: [\"a\\nb\"]}\n",
    "users: {extra_user_groups: [ada]}\n",
    "users: {extra_user_groups: {'a:b': [ada]}}\n",
    "users: {extra_user_groups: {-x: [ada]}}\n",
    "users: {extra_user_groups: {video: [[ada]]}}\n",
    "limits: {memory: 2GB}\n",
    "limits: {memory: 512}\n",
    "limits: {memory: 1.5}\n",
    "limits: {memory: -1G}\n",
    "limits: {memory: +5G}\n",
    "limits: {memory: lots}\n",
    "limits: {cpu: 0}\n",
    "limits: {cpu: '1'}\n",
    "http: {port: 0}\n",
    "http: {port: 99999}\n",
    "http: {port: 15001}\n",
    "https: {port: 15002}\n",
    "http: {port: '80'}\n",
    "http: {port: 80.5}\n",
    "http: {address: localhost}\n",
    "http: {address: 1.2.3}\n",
    "http: {address: 256.1.1.1}\n",
    "user_environment: {channels: conda-forge}\n",
    "user_environment: {channels: ['https://me:secret@example.org']}\n",
    "user_environment: {channels: ['-n']}\n",
    "user_environment: {channels: ['../c']}\n",
    "user_environment: {channels: ['ftp://example.org']}\n",
    "user_environment: {channels: ['file://host/c']}\n",
    "user_environment: {channels: ['a b']}\n",
    "http: {trusted_proxies: 192.0.2.1}\n",
    "http: {trusted_proxies: [10.0.0.0/33]}\n",
    "http: {trusted_proxies: [10.0.0/8]}\n",
    "http: {trusted_proxies: ['2001:db8::/129']}\n",
    "http: {trusted_proxies: [localhost]}\n",
    "http: {trusted_proxies: ['']}\n",
    "http: {socket: run/x}\n",
    "http: {socket: /run/}\n",
    "http: {socket: '/run/a b'}\n",
    "http: {socket_group: ''}\n",
    "http: {socket_group: 'a:b'}\n",
    "https: {enabled: yes}\n",
    "https: {tls: {key: key.pem}}\n",
    "https: {letsencrypt: {email: teacher}}\n",
    "https: {letsencrypt: {email: a@b c}}\n",
    "https: {letsencrypt: {domains: hub.example.org}}\n",
    "https: {letsencrypt: {domains: [a_b.org]}}\n",
    "https: {letsencrypt: {domains: [192.0.2.1]}}\n",
    "https: {letsencrypt: {domains: [münchen.de]}}\n",
    "https: {letsencrypt: {domains: [-a.org]}}\n",
    "user_environment: {default_app: nteract}\n",
    "services: {cull: {timeout: 0}}\n",
    "services: {cull: {every: -1}}\n",
    "services: {cull: {concurrency: 1001}}\n",
    "services: {cull: {enabled: 1}}\n",
    "services: {cull: {timout: 1}}\n",
    "services: 5\n",
];

fn schema() -> Value {
    serde_json::from_str(&render_schema()).unwrap()
}

/// Whether the check finds nothing but rules about several keys and keys without effect.
fn accepted(text: &str) -> bool {
    diagnose(text)
        .iter()
        .all(|found| found.message.contains("has no effect") || found.message.ends_with(" too"))
}

#[test]
fn the_schema_is_one_of_its_draft() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[test]
fn schema_and_check_agree() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let mut wrong = Vec::new();
    for (texts, good) in [(GOOD, true), (BAD, false)] {
        for text in texts {
            // An empty file is an empty mapping to an editor.
            let value = parse_yaml(text).unwrap();
            let (by_schema, by_check) = (validator.is_valid(&value), accepted(text));
            if (by_schema, by_check) != (good, good) {
                wrong.push(format!("{text:?}: schema {by_schema}, check {by_check}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_key_has_its_description_default_and_example() {
    let schema = schema();
    for key in tljh_settings::KEYS
        .iter()
        .filter(|key| !key.name.contains('<'))
    {
        let pointer: String = key
            .name
            .split('.')
            .map(|part| format!("/properties/{part}"))
            .collect();
        let property = schema
            .pointer(&pointer)
            .unwrap_or_else(|| panic!("{}", key.name));
        assert!(
            property["description"]
                .as_str()
                .unwrap()
                .starts_with(key.summary)
        );
        let validator = jsonschema::draft202012::new(property).unwrap();
        assert!(
            validator.is_valid(&property["examples"][0]),
            "example of {}",
            key.name
        );
        let default = property.get("default").unwrap_or(&Value::Null);
        assert!(validator.is_valid(default), "default of {}", key.name);
    }
}

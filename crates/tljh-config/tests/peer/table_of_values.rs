//! Words of the command line as values, and what the schema lets through.

use super::{Row, kept, row};

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row("none is null", None, "set services.x.y none", 0, Some("services: {x: {y: null}}")),
    row("none in any case is null", None, "set services.x.y NonE", 0, Some("services: {x: {y: null}}")),
    row("digits are a number", None, "set services.x.y 42", 0, Some("services: {x: {y: 42}}")),
    row("leading zeros go", None, "set services.x.y 007", 0, Some("services: {x: {y: 7}}")),
    row("digits with a point are a number", None, "set services.x.y 1.5", 0, Some("services: {x: {y: 1.5}}")),
    row("a point at the end is a number", None, "set services.x.y 2.", 0, Some("services: {x: {y: 2.0}}")),
    row("true in any case is a switch", None, "set services.x.y TRUE", 0, Some("services: {x: {y: true}}")),
    row("false in any case is a switch", None, "set services.x.y False", 0, Some("services: {x: {y: false}}")),
    row("a sign makes text", None, "set services.x.y -5", 0, Some("services: {x: {y: '-5'}}")),
    row("an exponent makes text", None, "set services.x.y 1e3", 0, Some("services: {x: {y: '1e3'}}")),
    row("a point in front makes text", None, "set services.x.y .5", 0, Some("services: {x: {y: '.5'}}")),
    row("two points make text", None, "set services.x.y 1.2.3", 0, Some("services: {x: {y: 1.2.3}}")),
    row("an underscore makes text", None, "set services.x.y 1_000", 0, Some("services: {x: {y: '1_000'}}")),
    row("a hexadecimal number is text", None, "set services.x.y 0x10", 0, Some("services: {x: {y: '0x10'}}")),
    row("a list in brackets is text", None, "set services.x.y '[a, b]'", 0, Some("services: {x: {y: '[a, b]'}}")),
    row("a mapping in braces is text", None, "set services.x.y '{a: b}'", 0, Some("services: {x: {y: '{a: b}'}}")),
    row("yes is text", None, "set services.x.y yes", 0, Some("services: {x: {y: 'yes'}}")),
    row("null is text", None, "set services.x.y null", 0, Some("services: {x: {y: 'null'}}")),
    row("a tilde is text", None, "set services.x.y '~'", 0, Some("services: {x: {y: '~'}}")),
    row("nothing is text", None, "set services.x.y ''", 0, Some("services: {x: {y: ''}}")),
    row("blanks are kept", None, "set services.x.y ' a b '", 0, Some("services: {x: {y: ' a b '}}")),
    row("a number with blanks is text", None, "set services.x.y ' 5'", 0, Some("services: {x: {y: ' 5'}}")),
    row("a comment sign is text", None, "set services.x.y 'a # b'", 0, Some("services: {x: {y: 'a # b'}}")),
    row("lines are text", None, "set services.x.y 'a\nb'", 0, Some("services: {x: {y: \"a\\nb\"}}")),
    row("letters with accents are text", None, "set services.x.y été", 0, Some("services: {x: {y: été}}")),
    kept("a word that begins like a flag is wrong usage", None, "set services.x.y -x", 2),
    row("items are read like values", None, "add-item services.x.y 42", 0, Some("services: {x: {y: [42]}}")),
    row("items are removed like values", Some("services: {x: {y: [42, true]}}"), "remove-item services.x.y true", 0, Some("services: {x: {y: [42]}}")),
    row("foreign digits are text", None, "set services.x.y ४२", 0, Some("services: {x: {y: ४२}}"))
        .but_peer("foreign digits become other text", 0, Some("services: {x: {y: 42}}"), &[]),
    row("more digits than a number has stay as they are", None, "set services.x.y 99999999999999999999", 0, Some("services: {x: {y: '99999999999999999999'}}"))
        .but_peer("a number that most readers round", 0, Some("services:\n  x:\n    y: 99999999999999999999\n"), &[]),

    row("a port", None, "set http.port 8080", 0, Some("http: {port: 8080}")),
    row("a switch", None, "set https.enabled TRUE", 0, Some("https: {enabled: true}")),
    row("a fraction of cores", None, "set limits.cpu 1.5", 0, Some("limits: {cpu: 1.5}")),
    row("whole cores", None, "set limits.cpu 2", 0, Some("limits: {cpu: 2}")),
    row("no limit of cores", None, "set limits.cpu none", 0, Some("limits: {cpu: null}")),
    row("no limit of memory", None, "set limits.memory none", 0, Some("limits: {memory: null}")),
    row("a time", None, "set services.cull.timeout 3600", 0, Some("services: {cull: {timeout: 3600}}")),
    row("an application", None, "set user_environment.default_app classic", 0, Some("user_environment: {default_app: classic}")),
    kept("an unknown application is refused", None, "set user_environment.default_app emacs", 1).says(&["emacs", "jupyterlab", "--no-validate"]),
    kept("text for a port is refused", None, "set http.port eighty", 1).says(&["eighty", "--no-validate"]),
    kept("a fraction of a port is refused", None, "set http.port 80.5", 1).says(&["80.5", "--no-validate"]),
    kept("text for a switch is refused", None, "set https.enabled maybe", 1).says(&["maybe", "--no-validate"]),
    kept("an unknown key of a section is refused", None, "set limits.disk 5G", 1).says(&["disk", "--no-validate"]),
    row("any service", None, "set services.backup.keep 7", 0, Some("services: {backup: {keep: 7}}")),
    row("any trait of an authenticator", None, "set auth.DummyAuthenticator.password hunter2", 0, Some("auth: {DummyAuthenticator: {password: hunter2}}")),

    kept("an unknown section is refused", None, "set user.admin ada", 1).says(&["did you mean `users.admin`"])
        .but_peer("the schema lets unknown top-level keys through", 0, Some("user: {admin: ada}"), &[]),
    kept("a stray key below auth is refused", None, "set auth.foo 1", 1).says(&["auth.foo"])
        .but_peer("auth is not in the schema, and the hub dies of it", 0, Some("auth: {foo: 1}"), &[]),
    row("bytes of memory", None, "set limits.memory 1073741824", 0, Some("limits: {memory: 1073741824}"))
        .but_peer("documented bytes of memory are refused", 1, None, &["1073741824 is not valid under any of the given schemas"]),
    kept("memory without a unit that is known is refused", None, "set limits.memory lots", 1).says(&["limits.memory"])
        .but_peer("memory is not checked", 0, Some("limits: {memory: lots}"), &[]),
    kept("port 0 is refused", None, "set http.port 0", 1).says(&["http.port"])
        .but_peer("ports are not checked", 0, Some("http: {port: 0}"), &[]),
    kept("port 99999 is refused", None, "set http.port 99999", 1).says(&["http.port"])
        .but_peer("ports are not checked", 0, Some("http: {port: 99999}"), &[]),
    kept("a word for an address is refused", None, "set http.address nowhere", 1).says(&["http.address"])
        .but_peer("addresses are not checked", 0, Some("http: {address: nowhere}"), &[]),
    kept("a word for an e-mail address is refused", None, "set https.letsencrypt.email me", 1).says(&["https.letsencrypt.email"])
        .but_peer("e-mail addresses are not checked", 0, Some("https: {letsencrypt: {email: me}}"), &[]),
    kept("a wrong host name is refused", None, "add-item https.letsencrypt.domains a_b", 1).says(&["https.letsencrypt.domains"])
        .but_peer("host names are not checked", 0, Some("https: {letsencrypt: {domains: [a_b]}}"), &[]),
    kept("no time at all is refused", None, "set services.cull.every 0", 1).says(&["services.cull.every"])
        .but_peer("times are not checked", 0, Some("services: {cull: {every: 0}}"), &[]),
    kept("no cores at all are refused", None, "set limits.cpu 0", 1).says(&["limits.cpu"])
        .but_peer("limits.cpu 0 becomes CPUQuota=0%", 0, Some("limits: {cpu: 0}"), &[]),
    row("a group set as documented is a list", None, "set users.extra_user_groups.video ada", 0, Some("users: {extra_user_groups: {video: [ada]}}"))
        .but_peer("the documented way to set a group stores text, and the spawner dies of it", 0, Some("users: {extra_user_groups: {video: ada}}"), &[]),
    row("a group that upstream stored as text takes members", Some("users: {extra_user_groups: {video: ada}}"), "add-item users.extra_user_groups.video bob", 0, Some("users: {extra_user_groups: {video: [ada, bob]}}"))
        .but_peer("add-item to text dies", 1, Some("users: {extra_user_groups: {video: ada}}"), &["AttributeError"]),
    row("a user of digits", None, "add-item users.allowed 12345", 0, Some("users: {allowed: ['12345']}"))
        .but_peer("digits always become numbers", 1, None, &["12345 is not of type 'string'"]),
    row("a user of digits with zeros in front", None, "add-item users.allowed 007", 0, Some("users: {allowed: ['007']}"))
        .but_peer("digits always become numbers", 1, None, &["7 is not of type 'string'"]),
    row("a user named none", None, "add-item users.allowed none", 0, Some("users: {allowed: [none]}"))
        .but_peer("none is never a name", 1, None, &["None is not of type 'string'"]),
    row("a password of digits", None, "set auth.DummyAuthenticator.password 0042", 0, Some("auth: {DummyAuthenticator: {password: '0042'}}"))
        .but_peer("digits always become numbers", 0, Some("auth: {DummyAuthenticator: {password: 42}}"), &[]),
];

//! Verbs, flags and exit codes.

use super::{Row, kept, row};

/// A file with a little of everything.
const CLASS: &str =
    "# our class\nusers:\n  admin: # who\n  - ada\n  - bob\nlimits:\n  memory: 1G # each\n";

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    kept("no verb prints help", None, "", 0).says(&["usage", "show", "unset", "set", "add-item", "remove-item", "reload"]),
    kept("help is no failure", None, "--help", 0).says(&["usage", "--config-path", "--validate", "--no-validate"]),
    kept("an unknown verb is wrong usage", None, "frobnicate", 2).says(&["frobnicate"]),
    kept("an unknown flag is wrong usage", None, "--nope show", 2).says(&["--nope"]),
    kept("set without a value is wrong usage", None, "set limits.memory", 2),
    kept("set without a key is wrong usage", None, "set", 2),
    kept("unset without a key is wrong usage", None, "unset", 2),
    kept("add-item without a value is wrong usage", None, "add-item users.admin", 2),
    kept("remove-item without a value is wrong usage", None, "remove-item users.admin", 2),
    kept("set with two values is wrong usage", None, "set limits.memory 1G 2G", 2),
    kept("reload knows the hub and the proxy only", None, "reload traefik", 2).says(&["traefik"]),
    kept("reload takes one component", None, "reload hub proxy", 2),
    kept("a flag of the program after the verb is wrong usage", Some(CLASS), "set --no-validate limits.cpu 1", 2),
    row("a flag may be cut short", None, "--no-val set limits.memory lots", 0, Some("limits: {memory: lots}")),
    kept("--validate is accepted", Some(CLASS), "--validate show", 0),

    kept("show of a missing file prints an empty mapping", None, "show", 0).says(&["{}"]),
    kept("show prints comments and order", Some(CLASS), "show", 0).says(&[CLASS]).exactly(),
    kept("show prints secrets in clear", Some("auth:\n  A:\n    password: hunter2\n"), "show", 0).says(&["hunter2"]),
    kept("show prints no defaults", Some("http:\n  port: 81\n"), "show", 0).says(&["http:\n  port: 81\n"]),
    kept("show of a text that is no YAML fails", Some("users: [a\n"), "show", 1),
    kept("show of an empty file prints an empty mapping", Some(""), "show", 0).says(&["{}"])
        .but_peer("an empty config.yaml is shown as null and then crashes the tool and the hub", 0, Some(""), &["null"]),
    kept("show of one key", Some(CLASS), "show limits.memory", 0).says(&["1G"])
        .but_peer("an addition", 2, Some(CLASS), &["unrecognized arguments"]),
    kept("get is an addition", Some(CLASS), "get http.port", 0).says(&["80"])
        .but_peer("an addition", 2, Some(CLASS), &["invalid choice"]),

    row("set makes the file", None, "set limits.memory 2G", 0, Some("limits: {memory: 2G}")),
    row("set makes parents", Some("http: {port: 81}"), "set https.tls.key /k", 0, Some("{http: {port: 81}, https: {tls: {key: /k}}}")),
    row("set keeps comments and order", Some(CLASS), "set limits.memory 2G", 0,
        Some("# our class\nusers:\n  admin: # who\n  - ada\n  - bob\nlimits:\n  memory: 2G # each\n")).exactly(),
    row("set replaces a value in the place of a parent", Some("services: {x: 5}"), "set services.x.y 1", 0, Some("services: {x: {y: 1}}")),
    row("set replaces nothing in the place of a parent", Some("limits:\n"), "set limits.cpu 2", 0, Some("limits: {cpu: 2}")),
    row("set of the value that is there is no failure", Some("http: {port: 81}"), "set http.port 81", 0, Some("http: {port: 81}")),
    row("points always split", None, "set services.a.b.c.d x", 0, Some("services: {a: {b: {c: {d: x}}}}")),
    row("set fills an empty file", Some(""), "set limits.memory 2G", 0, Some("limits: {memory: 2G}"))
        .but_peer("an empty config.yaml crashes the tool", 1, Some(""), &["TypeError"]),
    row("set fills a file of comments", Some("# mine\n"), "set limits.memory 2G", 0, Some("# mine\nlimits:\n  memory: 2G\n")).exactly()
        .but_peer("an empty config.yaml crashes the tool", 1, Some("# mine\n"), &["TypeError"]),
    kept("set of a list by one word is refused", Some(CLASS), "set users.admin eve", 1).says(&["users.admin", "add-item"])
        .but_peer("the words do not name the key", 1, Some(CLASS), &["'eve' is not of type 'array'", "--no-validate"]),
    kept("set of a section by one word is refused", Some(CLASS), "set users none", 1).says(&["--no-validate"]),
    row("set of several values as JSON", None, "set --json users.admin '[\"a\", \"b\"]'", 0, Some("users: {admin: [a, b]}"))
        .but_peer("set cannot take a list", 2, None, &["unrecognized arguments"]),

    row("unset removes a key", Some("http: {port: 81, address: 127.0.0.1}"), "unset http.port", 0, Some("http: {address: 127.0.0.1}")),
    row("unset removes parents that it leaves empty", Some("https: {tls: {key: /k}}\nhttp: {port: 81}"), "unset https.tls.key", 0, Some("http: {port: 81}")),
    row("unset of the last key leaves no mapping of null", Some("http: {port: 81}"), "unset http.port", 0, Some("{}")),
    row("unset removes a section", Some(CLASS), "unset users", 0, Some("limits: {memory: 1G}")),
    kept("unset of what is not set fails", Some(CLASS), "unset http.port", 1).says(&["`http.port` is not set"])
        .but_peer("a traceback in the place of a message", 1, Some(CLASS), &["Traceback", "http.port does not exist in config!"]),
    kept("unset below a value fails", Some("limits: 5\n"), "unset limits.memory", 1).says(&["`limits.memory` is not set"])
        .but_peer("a traceback in the place of a message", 1, Some("limits: 5\n"), &["TypeError"]),

    row("add-item makes the list", None, "add-item users.admin ada", 0, Some("users: {admin: [ada]}")),
    row("add-item adds at the end", Some(CLASS), "add-item users.admin eve", 0,
        Some("# our class\nusers:\n  admin: # who\n  - ada\n  - bob\n  - eve\nlimits:\n  memory: 1G # each\n")).exactly(),
    row("add-item fills an emptied list", Some("users: {admin: []}"), "add-item users.admin ada", 0, Some("users: {admin: [ada]}")),
    row("add-item replaces null", Some("users:\n  admin:\n"), "add-item users.admin ada", 0, Some("users: {admin: [ada]}")),
    kept("add-item adds nobody twice", Some(CLASS), "add-item users.admin ada", 0).says(&["`ada` is already in `users.admin`"])
        .but_peer("add-item adds the same name twice", 0, Some("{users: {admin: [ada, bob, ada]}, limits: {memory: 1G}}"), &[]),
    row("add-item takes many values", Some(CLASS), "add-item users.admin eve ada kim", 0,
        Some("{users: {admin: [ada, bob, eve, kim]}, limits: {memory: 1G}}")).says(&["`ada` is already in"])
        .but_peer("one value at a time", 2, Some(CLASS), &["unrecognized arguments"]),
    kept("add-item does not replace a value", Some("services: {x: 5}"), "add-item services.x a", 1).says(&["`services.x` is not a list"])
        .but_peer("a value is lost without a word", 0, Some("services: {x: [a]}"), &[]),
    kept("add-item to text fails with a message", Some("services: {x: a}"), "add-item services.x b", 1).says(&["`services.x` is not a list"])
        .but_peer("add-item to text dies", 1, Some("services: {x: a}"), &["AttributeError"]),
    row("add-item fills an empty file", Some(""), "add-item users.admin ada", 0, Some("users: {admin: [ada]}"))
        .but_peer("an empty config.yaml crashes the tool", 1, Some(""), &["TypeError"]),

    row("remove-item removes", Some(CLASS), "remove-item users.admin ada", 0,
        Some("{users: {admin: [bob]}, limits: {memory: 1G}}")),
    row("remove-item removes one occurrence", Some("services: {x: [a, b, a]}"), "remove-item services.x a", 0, Some("services: {x: [b, a]}")),
    row("remove-item leaves an empty list", Some("users: {admin: [ada]}"), "remove-item users.admin ada", 0, Some("users: {admin: []}")),
    row("remove-item takes many values", Some(CLASS), "remove-item users.admin ada bob", 0, Some("{users: {admin: []}, limits: {memory: 1G}}"))
        .but_peer("one value at a time", 2, Some(CLASS), &["unrecognized arguments"]),
    kept("remove-item of what is not there is told", Some(CLASS), "remove-item users.admin eve", 0).says(&["`eve` is not in `users.admin`"])
        .but_peer("a traceback in the place of a message; a second run of a script fails", 1, Some(CLASS), &["Traceback", "ValueError"]),
    kept("remove-item from a list that is not set is told", Some(CLASS), "remove-item users.banned eve", 0).says(&["`eve` is not in `users.banned`"])
        .but_peer("a traceback in the place of a message; a second run of a script fails", 1, Some(CLASS), &["users.banned is not a list"]),
    kept("remove-item from what is no list fails", Some(CLASS), "remove-item limits.memory 1G", 1).says(&["`limits.memory` is not a list"])
        .but_peer("remove-item from text dies", 1, Some(CLASS), &["AttributeError"]),
    kept("remove-item from a number fails", Some("services: {x: 5}"), "remove-item services.x 5", 1).says(&["services.x", "is not a list"]),
    kept("remove-item from an unknown list fails", Some(CLASS), "remove-item services.x.y a", 1).says(&["services.x.y"]),

    kept("a refusal hints at --no-validate and writes nothing", Some(CLASS), "set limits.cpu lots", 1).says(&["`limits.cpu` is `lots`", "--no-validate"])
        .but_peer("the words do not name the key", 1, Some(CLASS), &["'lots' is not valid under any of the given schemas", "--no-validate"]),
    row("--no-validate writes what a check refuses", None, "--no-validate set limits.cpu lots", 0, Some("limits: {cpu: lots}")),
    row("the last of --validate and --no-validate wins", None, "--validate --no-validate set limits.cpu lots", 0, Some("limits: {cpu: lots}")),
    kept("the last of --no-validate and --validate wins", None, "--no-validate --validate set limits.cpu lots", 1),
    row("of two wrong values one can be corrected", Some("http: {port: x}\nlimits: {cpu: x}"), "unset http.port", 0, Some("limits: {cpu: x}"))
        .but_peer("a file with two wrong values cannot be corrected", 1, Some("http: {port: x}\nlimits: {cpu: x}"), &["--no-validate"]),
    kept("--dry-run writes nothing", Some(CLASS), "--dry-run set limits.cpu 2", 0).says(&["+  cpu: 2"])
        .but_peer("an addition", 2, Some(CLASS), &["usage"]),
];

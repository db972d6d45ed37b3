//! Defects of upstream's tool that this one does not have, by their names.

use super::Bench;

#[test]
fn unknown_top_level_keys_are_refused_with_the_nearest_name() {
    let bench = Bench::empty();
    assert_eq!(
        bench.refused("add-item user.admin ada"),
        "exit 1\n--- out\n--- err\nerror: not written: unknown key `user.admin`, did you mean `users.admin`?\n\
         hint: to write it without a check, run `tljh-config --config-path FILE --no-validate add-item user.admin VALUE`\n"
    );
    assert!(
        bench
            .refused("set http.prot 81")
            .contains("did you mean `http.port`?")
    );
    assert_eq!(
        bench.edited("--no-validate set plugin.key 1"),
        "plugin:\n  key: 1\n"
    );
    // A plugin's key that is there does not stand in the way of others.
    assert_eq!(
        bench.edited("set plugin.other x"),
        "plugin:\n  key: 1\n  other: x\n"
    );
}

#[test]
fn a_small_letter_under_auth_is_refused_before_the_hub_meets_it() {
    let bench = Bench::empty();
    let seen = bench.refused("set auth.foo 1");
    assert!(
        seen.contains("`auth.foo` is neither `type` nor an authenticator's class"),
        "{seen}"
    );
    assert!(
        bench
            .refused("set auth.Foo 1")
            .contains("`auth.Foo` holds further keys")
    );
    bench.edited("set auth.type dummy");
    bench.edited("set auth.DummyAuthenticator.password secret");
}

#[test]
fn memory_may_be_a_number_of_bytes() {
    let bench = Bench::empty();
    assert_eq!(
        bench.edited("set limits.memory 1073741824"),
        "limits:\n  memory: 1073741824\n"
    );
    assert_eq!(
        bench.edited("set limits.memory none"),
        "limits:\n  memory: null\n"
    );
    for wrong in ["1.5", "512", "2GB", "lots"] {
        assert!(
            bench
                .refused(&format!("set limits.memory {wrong}"))
                .contains("an amount such as `512M`")
        );
    }
}

#[test]
fn addresses_ports_and_times_are_checked() {
    let bench = Bench::empty();
    for wrong in [
        "set http.port 0",
        "set http.port 99999",
        "set http.address nowhere",
        "set https.letsencrypt.email me",
        "add-item https.letsencrypt.domains a_b",
        "set services.cull.timeout -5",
        "set services.cull.every 0",
    ] {
        assert!(
            bench.refused(wrong).contains("error: not written: `"),
            "{wrong}"
        );
    }
}

#[test]
fn the_documented_way_to_set_a_group_stores_a_list() {
    let bench = Bench::empty();
    let groups = "users:\n  extra_user_groups:\n    group1:\n    - user1\n";
    assert_eq!(
        bench.edited("set users.extra_user_groups.group1 user1"),
        groups
    );
    assert_eq!(
        bench.edited("add-item users.extra_user_groups.group1 user2"),
        format!("{groups}    - user2\n")
    );
    let stored_by_upstream = Bench::with("users:\n  extra_user_groups:\n    group1: user1\n");
    assert_eq!(
        stored_by_upstream.edited("add-item users.extra_user_groups.group1 user2"),
        "users:\n  extra_user_groups:\n    group1:\n    - user1\n    - user2\n"
    );
}

#[test]
fn digits_stay_text_where_text_is_wanted() {
    let bench = Bench::empty();
    bench.edited("add-item users.allowed 12345");
    bench.edited("add-item users.allowed 007");
    bench.edited("add-item users.allowed none");
    bench.edited("set auth.DummyAuthenticator.password 0042");
    assert_eq!(
        bench.text(),
        "users:\n  allowed:\n  - '12345'\n  - '007'\n  - none\nauth:\n  DummyAuthenticator:\n    password: '0042'\n"
    );
    assert_eq!(
        bench
            .edited("remove-item users.allowed 12345")
            .matches("12345")
            .count(),
        0
    );
}

#[test]
fn an_empty_file_is_a_configuration() {
    for text in ["", "\n", "{}\n", "---\n"] {
        let bench = Bench::with(text);
        assert_eq!(bench.run("show"), "exit 0\n--- out\n{}\n--- err\n");
        assert!(
            bench
                .edited("set limits.memory 1G")
                .ends_with("limits:\n  memory: 1G\n")
        );
    }
}

#[test]
fn no_cores_at_all_is_no_limit_that_can_be_set() {
    let bench = Bench::empty();
    assert!(
        bench
            .refused("set limits.cpu 0")
            .contains("`limits.cpu` is `0`, wanted a number of cores")
    );
    assert_eq!(bench.edited("set limits.cpu 0.5"), "limits:\n  cpu: 0.5\n");
}

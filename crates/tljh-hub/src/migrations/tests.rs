use std::fs;

use tljh_machine::SystemRunner;

use super::*;
use crate::backup;
use crate::testing::{Installation, inventory};

fn add_column(state: &Paths, _: &Paths, _: &dyn Runner) -> Result<(), MigrationError> {
    files::write_atomically(&state.cookie_secret(), b"migrated\n", 0o600)?;
    Ok(())
}

fn fail_half_way(
    state: &Paths,
    machine: &Paths,
    runner: &dyn Runner,
) -> Result<(), MigrationError> {
    add_column(state, machine, runner)?;
    files::ensure_absent(&state.hub_database())?;
    Err(StateError::Unreadable {
        path: state.state(),
    }
    .into())
}

const WORKING: [Step; 1] = [Step {
    to: 2,
    what: "the test's",
    apply: add_column,
}];
const FAILING: [Step; 1] = [Step {
    to: 2,
    what: "the test's",
    apply: fail_half_way,
}];

#[test]
fn steps_lead_from_the_oldest_to_the_newest_without_a_gap() {
    let versions: Vec<u32> = STEPS.iter().map(|step| step.to).collect();
    assert_eq!(versions, (OLDEST + 1..=NEWEST).collect::<Vec<_>>());
}

#[test]
fn a_state_without_a_number_is_the_first_and_others_are_refused() {
    let made = Installation::new();
    assert_eq!(read_version(&made.paths).unwrap(), 1);
    made.write("var/lib/tljh/state-version", "two\n");
    let refused = read_version(&made.paths).unwrap_err();
    assert!(matches!(refused, StateError::Unreadable { .. }));
    for (version, hint) in [
        (0, "pass through version 0.1.0"),
        (NEWEST + 1, "tljh-hub backup list"),
    ] {
        let refused = admit(version).unwrap_err();
        assert!(refused.hint().unwrap().contains(hint), "{refused}");
    }
}

#[test]
fn a_migration_is_made_once_and_after_a_backup() {
    let made = Installation::new();
    for _ in 0..2 {
        ensure_steps(&made.paths, &SystemRunner, "0.1.0", &WORKING).unwrap();
        assert_eq!(read_version(&made.paths).unwrap(), NEWEST);
        assert_eq!(
            made.read("var/lib/tljh/jupyterhub_cookie_secret").unwrap(),
            "migrated\n"
        );
    }
    let backups = backup::list(&made.paths).unwrap();
    assert_eq!(backups.len(), 1);
    assert_eq!(backups[0].manifest.state_version, 1);
    backups[0].put_back(&made.paths).unwrap();
    assert_eq!(
        made.read("var/lib/tljh/jupyterhub_cookie_secret").unwrap(),
        "c00kie\n"
    );
    assert_eq!(read_version(&made.paths).unwrap(), 1);
}

#[test]
fn a_failed_migration_leaves_the_state_as_it_was_however_often_it_is_tried() {
    let made = Installation::new();
    write_version(&made.paths, 1).unwrap();
    Backups::open(&made.paths).unwrap();
    // The copy of a database may have its bytes elsewhere; what its schema is, is looked up again.
    let before = |made: &Installation| {
        let mut found = inventory(made.paths.root());
        found.retain(|(name, ..)| {
            !name.ends_with("jupyterhub.sqlite") && !name.ends_with("database-schema")
        });
        (found, made.users())
    };
    let was = before(&made);
    for _ in 0..3 {
        let error = ensure_steps(&made.paths, &SystemRunner, "0.1.0", &FAILING).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("version 2 (the test's); it is as it was"),
            "{error}"
        );
        assert_eq!(before(&made), was);
    }
}

#[test]
fn a_rehearsal_changes_nothing_whether_it_fails_or_not() {
    let made = Installation::new();
    let backups = Backups::open(&made.paths).unwrap();
    let backup = backups
        .create(&SystemRunner, "0.1.0", Reason::Requested)
        .unwrap();
    drop(backups);
    let was = inventory(made.paths.root());
    // This Python has no JupyterHub.
    let error = rehearse(&made.paths, &SystemRunner, &backup).unwrap_err();
    assert!(error.to_string().contains("the hub's database"), "{error}");
    assert_eq!(inventory(made.paths.root()), was);
    fs::remove_file(backup.folder.join("files/var/lib/tljh/jupyterhub.sqlite")).unwrap();
    assert!(rehearse(&made.paths, &SystemRunner, &backup).is_err());
}

#[test]
fn a_new_installation_begins_with_the_newest_version_and_no_backup() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::under(root.path());
    files::ensure_folder(&paths.state(), 0o700).unwrap();
    ensure(&paths, &SystemRunner, "0.1.0").unwrap();
    assert_eq!(read_version(&paths).unwrap(), NEWEST);
    assert!(!paths.backups().exists());
}

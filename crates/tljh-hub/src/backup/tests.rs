use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tljh_machine::SystemRunner;
use tljh_terminal::Hinted as _;

use super::*;
use crate::testing::{Installation, inventory};

fn create(made: &Installation, reason: Reason) -> Backup {
    let backups = Backups::open(&made.paths).unwrap();
    backups.create(&SystemRunner, "0.1.0", reason).unwrap()
}

fn numbers_left(made: &Installation) -> Vec<u64> {
    let listed = list(&made.paths).unwrap();
    listed.iter().map(|backup| backup.number).collect()
}

#[test]
fn what_was_changed_removed_and_added_since_is_as_it_was() {
    let made = Installation::new();
    let etc = inventory(&made.paths.configuration());
    let backup = create(&made, Reason::Requested);
    made.write("etc/tljh/config.yaml", "broken: [");
    made.write("etc/tljh/later.pem", "key");
    fs::remove_dir_all(made.paths.hub_snippets()).unwrap();
    fs::remove_file(made.paths.cookie_secret()).unwrap();
    made.write("var/lib/tljh/passwords.dbm.dat", "nothing");
    made.write("var/lib/tljh/passwords.dbm.bak", "later");
    made.sql("delete from users");
    backup.check().unwrap();
    for _ in 0..2 {
        backup.put_back(&made.paths).unwrap();
        assert_eq!(inventory(&made.paths.configuration()), etc);
        assert_eq!(made.users(), "ada\n");
        let read = |name: &str| made.read(&format!("var/lib/tljh/{name}"));
        assert_eq!(read("jupyterhub_cookie_secret").unwrap(), "c00kie\n");
        assert_eq!(read("passwords.dbm.dat").unwrap(), "hash of ada");
        assert_eq!(read("passwords.dbm.bak"), None);
        assert_eq!(read("state-version").unwrap(), "1\n");
    }
    let names = inventory(made.paths.root());
    let left = names.iter().filter(|(name, ..)| name.contains("restored"));
    assert_eq!(left.count(), 0);
}

#[test]
fn records_of_accounts_are_added_and_none_is_lost() {
    let made = Installation::new();
    let backup = create(&made, Reason::Requested);
    fs::remove_file(made.paths.account_registry().join("jupyter-ada.json")).unwrap();
    made.write("var/lib/tljh/accounts/jupyter-bob.json", "{\"uid\":1002}\n");
    backup.put_back(&made.paths).unwrap();
    made.write("var/lib/tljh/accounts/jupyter-ada.json", "{\"uid\":1003}\n");
    backup.put_back(&made.paths).unwrap();
    let record = |name: &str| made.read(&format!("var/lib/tljh/accounts/jupyter-{name}.json"));
    assert_eq!(record("ada").unwrap(), "{\"uid\":1003}\n");
    assert_eq!(record("bob").unwrap(), "{\"uid\":1002}\n");
}

#[test]
fn what_sqlite_noted_beside_the_old_database_does_not_meet_the_new_one() {
    let made = Installation::new();
    let backup = create(&made, Reason::Requested);
    made.write("var/lib/tljh/jupyterhub.sqlite-journal", "a killed hub's");
    backup.put_back(&made.paths).unwrap();
    assert_eq!(made.read("var/lib/tljh/jupyterhub.sqlite-journal"), None);
}

#[test]
fn a_backup_is_roots_alone_and_bounded() {
    let made = Installation::new();
    for _ in 0..KEPT + 3 {
        create(&made, Reason::Requested);
    }
    let numbers: Vec<u64> = (4..=13).rev().collect();
    assert_eq!(numbers_left(&made), numbers);
    for (name, mode, _) in inventory(&made.paths.backups()) {
        let wanted = if mode & 0o170_000 == 0o040_000 {
            0o700
        } else {
            0o600
        };
        assert_eq!(mode & 0o777, wanted, "{name}");
    }
    let mode = made
        .paths
        .backups()
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn the_newest_of_each_state_outlives_newer_ones_and_a_repeated_upgrade_needs_one() {
    let made = Installation::new();
    let upgrade = || Reason::Upgrade { to: "0.2.0".into() };
    create(&made, upgrade());
    create(&made, upgrade());
    assert_eq!(numbers_left(&made), [2]);
    crate::migrations::write_version(&made.paths, 2).unwrap();
    for _ in 0..KEPT + 2 {
        create(&made, Reason::Requested);
    }
    let left = numbers_left(&made);
    assert_eq!((left.len(), left.last()), (KEPT + 1, Some(&2)));
}

#[test]
fn all_together_take_no_more_than_they_may_and_the_newest_stays() {
    let made = Installation::new();
    for _ in 0..4 {
        create(&made, Reason::Requested);
    }
    let backups = list(&made.paths).unwrap();
    let size = backups[0].manifest.size();
    assert_eq!(superfluous(&backups, 2 * size), [2, 1]);
    assert_eq!(superfluous(&backups, 0), [3, 2, 1]);
}

#[test]
fn a_truncated_a_foreign_and_an_absent_backup_are_refused() {
    let made = Installation::new();
    let backup = create(&made, Reason::Requested);
    let copy = backup.folder.join("files/var/lib/tljh/jupyterhub.sqlite");
    let whole = fs::read(&copy).unwrap();
    fs::write(&copy, &whole[..1000]).unwrap();
    let refused = backup.check().unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("`var/lib/tljh/jupyterhub.sqlite` is not what"),
        "{refused}"
    );
    assert!(refused.hint().unwrap().contains("backup list"));
    fs::remove_file(&copy).unwrap();
    assert!(backup.check().unwrap_err().to_string().contains("missing"));
    fs::write(&copy, whole).unwrap();
    backup.check().unwrap();
    let manifest = backup.folder.join("backup.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for foreign in [
        "etc/passwd",
        "etc/tljh/../passwd",
        "/etc/tljh/config.yaml",
        "var/lib/tljh/accounts/../../x",
    ] {
        fs::write(&manifest, text.replace("etc/tljh/config.yaml", foreign)).unwrap();
        let refused = find(&made.paths, 1).unwrap().check().unwrap_err();
        assert!(
            refused.to_string().contains("is in no backup of ours"),
            "{refused}"
        );
    }
    fs::write(&manifest, "{}").unwrap();
    assert!(matches!(
        find(&made.paths, 1),
        Err(BackupError::Damaged { .. })
    ));
    assert_eq!(numbers_left(&made), [] as [u64; 0]);
    assert!(matches!(
        find(&made.paths, 7),
        Err(BackupError::Unknown { number: 7 })
    ));
}

#[test]
fn a_backup_that_fails_or_was_killed_leaves_nothing_and_takes_no_other_away() {
    let made = Installation::new();
    create(&made, Reason::Requested);
    // What a killed one left.
    fs::create_dir_all(made.paths.backups().join(".new/files")).unwrap();
    made.write(
        "var/lib/tljh/jupyterhub.sqlite",
        "this is no database, and long enough to be looked at",
    );
    let backups = Backups::open(&made.paths).unwrap();
    let failed = backups
        .create(&SystemRunner, "0.1.0", Reason::Requested)
        .unwrap_err();
    assert!(failed.to_string().contains("not a database"), "{failed}");
    assert_eq!(numbers_left(&made), [1]);
    assert!(!made.paths.backups().join(".new").exists());
    // It is what a restore is to replace.
    let kept = backups
        .create(&SystemRunner, "0.1.0", Reason::Restore { of: 1 })
        .unwrap();
    kept.check().unwrap();
}

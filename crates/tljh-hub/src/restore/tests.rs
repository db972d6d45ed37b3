use tljh_machine::{Recorder, SystemRunner};

use super::*;
use crate::testing::Installation;

fn backup_of(made: &Installation) -> Backup {
    let backups = Backups::open(&made.paths).unwrap();
    backups
        .create(&SystemRunner, "0.1.0", Reason::Requested)
        .unwrap()
}

#[test]
fn a_restore_can_be_undone_by_restoring_what_was_there() {
    let made = Installation::new();
    backup_of(&made);
    made.sql("insert into users values ('bob')");
    let restored = restore(&made.paths, &SystemRunner, "0.1.0", Some(1), false).unwrap();
    let expected = Restored {
        number: 1,
        before: 2,
        hub_started: false,
    };
    assert_eq!(restored, expected);
    assert_eq!(made.users(), "ada\n");
    let undone = restore(&made.paths, &SystemRunner, "0.1.0", None, false).unwrap();
    assert_eq!(undone.number, 2);
    assert_eq!(made.users(), "ada\nbob\n");
    assert!(!note(&made.paths).exists());
}

#[test]
fn a_killed_restore_is_finished_by_a_repetition_or_by_the_hubs_start() {
    let made = Installation::new();
    backup_of(&made);
    made.sql("insert into users values ('bob')");
    let before = backup_of(&made).number;
    for by_hub in [true, false] {
        let begun = UnderWay {
            number: 1,
            before,
            hub_ran: true,
        };
        write_note(&made.paths, &begun).unwrap();
        made.write("etc/tljh/config.yaml", "half: done\n");
        if by_hub {
            finish_interrupted(&made.paths).unwrap();
            finish_interrupted(&made.paths).unwrap();
        } else {
            let done = restore(&made.paths, &SystemRunner, "0.1.0", None, false).unwrap();
            assert_eq!((done.number, done.before), (1, before));
        }
        assert_eq!(made.users(), "ada\n");
        assert_eq!(
            made.read("etc/tljh/config.yaml").unwrap(),
            "users: {admin: [ada]}\n"
        );
        assert!(!note(&made.paths).exists());
        assert_eq!(
            backup::list(&made.paths).unwrap().len(),
            2,
            "no backup of a half"
        );
    }
}

#[test]
fn a_backup_that_cannot_be_used_stops_no_hub() {
    let made = Installation::new();
    std::fs::create_dir_all(made.paths.root().join("run/systemd/system")).unwrap();
    let copy = backup_of(&made).folder.join("files/etc/tljh/config.yaml");
    std::fs::write(&copy, "another").unwrap();
    let runner = Recorder::default();
    assert!(restore(&made.paths, &runner, "0.1.0", None, false).is_err());
    assert_eq!(runner.lines(), [] as [String; 0]);
    migrations::write_version(&made.paths, migrations::NEWEST + 1).unwrap();
    let newer = backup_of(&made);
    let refused = restore(&made.paths, &runner, "0.1.0", Some(newer.number), false);
    assert!(matches!(
        refused,
        Err(HubError::Backup(BackupError::Unsuitable { .. }))
    ));
    assert_eq!(runner.lines(), [] as [String; 0]);
}

#[test]
fn the_hub_is_stopped_before_the_copy_and_started_after_it_if_it_ran() {
    let made = Installation::new();
    std::fs::create_dir_all(made.paths.root().join("run/systemd/system")).unwrap();
    backup_of(&made);
    std::fs::remove_file(made.paths.hub_database()).unwrap();
    for (state, keep, starts) in [
        ("active", false, true),
        ("active", true, false),
        ("inactive", false, false),
    ] {
        let runner = Recorder::default();
        runner.answer("systemctl show", 0, state);
        // Without a database, which the double could not copy.
        let restored = restore(&made.paths, &runner, "0.1.0", Some(1), keep).unwrap();
        assert_eq!(restored.hub_started, starts);
        let lines = runner.lines();
        let at = |wanted: &str| lines.iter().position(|line| line == wanted);
        assert_eq!(
            at("systemctl stop -- jupyterhub.service").is_some(),
            state == "active"
        );
        assert_eq!(
            at("systemctl start -- jupyterhub.service").is_some(),
            starts
        );
        std::fs::remove_file(made.paths.hub_database()).unwrap();
    }
}

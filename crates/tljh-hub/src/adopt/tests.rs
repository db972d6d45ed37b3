//! On a folder that stands for the machine; accounts, databases and the environment are the system tests'.

use std::fs;
use std::os::unix::fs::symlink;

use tljh_machine::Recorder;

use super::*;

/// A machine on which preinst has set upstream's files aside.
struct Machine {
    _root: tempfile::TempDir,
    paths: Paths,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        fs::create_dir_all(paths.upstream()).unwrap();
        Self { _root: root, paths }
    }

    /// Writes a file below `/opt/tljh`.
    fn write(&self, path: &str, text: &str) {
        let path = self.paths.prefix().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn begin<'a>(&'a self, runner: &'a Recorder) -> Option<Adoption<'a>> {
        Adoption::begin(&self.paths, runner).unwrap()
    }

    fn snippet(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.paths.hub_snippets().join(name)).ok()
    }
}

#[test]
fn the_configuration_of_every_version_is_kept_word_for_word() {
    for (folder, text) in [
        ("config/", "# mine\nusers: {admin: [ada]}\n"),
        ("", "limits:\n  memory: 1G # each\n"),
    ] {
        let machine = Machine::new();
        machine.write(&format!("{folder}config.yaml"), text);
        machine.write(
            &format!("{folder}jupyterhub_config.d/a.py"),
            "c.Spawner.debug = True\n",
        );
        machine.begin(&Recorder::default()).unwrap();
        let told = configuration::take(&machine.paths).unwrap().join("\n");
        assert_eq!(
            fs::read_to_string(machine.paths.config_yaml()).unwrap(),
            text
        );
        assert!(told.contains("word for word") && told.contains("snippets: a.py"));
        assert_eq!(machine.snippet("a.py").unwrap(), "c.Spawner.debug = True\n");
        assert!(!machine.paths.prefix().join("config").exists());
    }
}

#[test]
fn of_two_configurations_the_one_of_the_newer_version_holds_and_both_are_kept() {
    let machine = Machine::new();
    machine.write("config/config.yaml", "users: {admin: [new]}\n");
    machine.write("config.yaml", "users: {admin: [old]}\n");
    machine.write("config/jupyterhub_config.d/a.py", "new");
    machine.write("jupyterhub_config.d/a.py", "old");
    machine.write("jupyterhub_config.d/b.py", "old");
    machine.begin(&Recorder::default()).unwrap();
    configuration::take(&machine.paths).unwrap();
    let text = fs::read_to_string(machine.paths.config_yaml()).unwrap();
    assert_eq!(text, "users: {admin: [new]}\n");
    assert_eq!(machine.snippet("a.py").as_deref(), Some("new"));
    assert_eq!(machine.snippet("b.py").as_deref(), Some("old"));
    assert!(machine.paths.upstream().join("config.yaml").exists());
}

#[test]
fn without_a_configuration_upstreams_defaults_hold_and_nobody_becomes_admin() {
    let machine = Machine::new();
    machine.begin(&Recorder::default()).unwrap();
    configuration::take(&machine.paths).unwrap();
    let settings = tljh_settings::Settings::load(&machine.paths.config_yaml()).unwrap();
    assert!(settings.users.admin.is_empty());
}

#[test]
fn what_the_proxy_does_not_read_and_what_nobody_knows_is_told() {
    let machine = Machine::new();
    let text = "traefik_api: {port: 8100}\ncolour: blue\nhttps: {enabled: true, letsencrypt: {email: a@b.org, domains: [b.org]}}\n";
    machine.write("config/config.yaml", text);
    machine.write("config/traefik_config.d/extra.toml", "");
    machine.write("config/key.pem", "key");
    machine.begin(&Recorder::default()).unwrap();
    let told = configuration::take(&machine.paths).unwrap().join("\n");
    for words in [
        "`traefik_api` is not used",
        "unknown key `colour`",
        "a new certificate is fetched for b.org",
        "extra.toml is not used",
        "beside the configuration, as they were: key.pem",
    ] {
        assert!(told.contains(words), "{told}");
    }
    // By the path that the configuration may name.
    assert!(machine.paths.configuration().join("key.pem").exists());
}

#[test]
fn values_that_cannot_be_used_are_told_and_stay_in_the_file() {
    let machine = Machine::new();
    machine.write("config/config.yaml", "http: {port: eighty}\n");
    machine.begin(&Recorder::default()).unwrap();
    let told = configuration::take(&machine.paths).unwrap().join("\n");
    assert!(
        told.contains("`http.port`") && told.contains("hint: "),
        "{told}"
    );
    assert!(machine.paths.config_yaml().exists());
}

#[test]
fn a_step_that_is_done_is_not_done_again_and_our_links_are_never_moved() {
    let machine = Machine::new();
    machine.write("state/jupyterhub_cookie_secret", "c00kie");
    let runner = Recorder::default();
    let mut times = 0;
    for _ in 0..2 {
        let mut adoption = machine.begin(&runner).unwrap();
        let step = adoption.step(Step::Extras, || {
            times += 1;
            Ok(vec!["told".into()])
        });
        step.unwrap();
        files::ensure_folder(&machine.paths.state(), 0o700).unwrap();
        let link = machine.paths.prefix().join("state");
        let _ = symlink(machine.paths.state(), &link);
        assert!(link.is_symlink());
    }
    assert_eq!(times, 1);
    let kept = machine.paths.upstream().join("state");
    assert!(kept.join("jupyterhub_cookie_secret").exists());
    machine.begin(&runner).unwrap().finish().unwrap();
    assert!(machine.begin(&runner).is_none(), "it is ours now");
    assert!(
        Journal::read(&machine.paths)
            .unwrap()
            .unwrap()
            .finished
            .is_some()
    );
}

#[test]
fn packages_of_the_hub_that_nothing_else_needs_are_told() {
    let machine = Machine::new();
    let package = |environment: &str, name: &str, more: &str| {
        let path =
            format!("{environment}/lib/python3.11/site-packages/{name}-1.0.dist-info/METADATA");
        machine.write(&path, &format!("Name: {name}\nVersion: 1.0\n{more}\n"));
    };
    package(".upstream/hub", "jupyterhub", "");
    package("hub", "jupyterhub", "");
    package(".upstream/hub", "the_littlest_jupyterhub", "");
    package(
        ".upstream/hub",
        "Course.Plugin",
        "Requires-Dist: came_along>=1\n",
    );
    package(".upstream/hub", "came-along", "");
    let told = extras::tell(&machine.paths).unwrap();
    assert_eq!(
        told[0],
        "not in the hub's environment any more: course-plugin 1.0"
    );
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn changes_of_the_hubs_unit_hold_unless_they_are_about_its_program() {
    let machine = Machine::new();
    let folder = ".upstream/units/jupyterhub.service.d";
    machine.write(
        &format!("{folder}/samba.conf"),
        "[Service]\nPrivateDevices=no\n",
    );
    machine.write(
        &format!("{folder}/program.conf"),
        "[Service]\nExecStart=/opt/tljh/hub/bin/python\n",
    );
    let told = units::take(&machine.paths).unwrap().join("\n");
    assert!(told.contains("keeps jupyterhub.service.d/samba.conf"));
    assert!(told.contains("not used") && told.contains("program.conf"));
    let ours = machine.paths.local_units().join("jupyterhub.service.d");
    assert_eq!(
        files::list_folder(&ours).unwrap(),
        [ours.join("samba.conf")]
    );
}

#[test]
fn commit_deletes_all_that_is_kept_and_nothing_of_an_adoption_under_way() {
    let machine = Machine::new();
    machine.write(".upstream/hub/file", "");
    assert!(matches!(
        commit(&machine.paths, true),
        Err(AdoptError::Unfinished)
    ));
    machine
        .begin(&Recorder::default())
        .unwrap()
        .finish()
        .unwrap();
    // Killed in the middle of the last one.
    fs::create_dir_all(machine.paths.upstream_committed()).unwrap();
    commit(&machine.paths, true).unwrap();
    assert!(!machine.paths.upstream().exists() && !machine.paths.upstream_committed().exists());
    assert!(matches!(
        commit(&machine.paths, true),
        Err(AdoptError::None)
    ));
}

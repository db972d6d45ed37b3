//! The first administrators: from debconf, or `admin` with a password of ours in a file.
//!
//! No administrator ever exists without a password: with the first-use authenticator, whoever came first
//! would choose it.

use handlebars::Handlebars;
use serde_json::json;
use tljh_machine::{Paths, Runner, files};
use tljh_settings::Settings;
use tljh_settings::store::Store;
use tljh_terminal::{Hinted, Secret, render_error};

use crate::error::HubError;
use crate::{first_use, passwords};

/// What the installation's questions were answered with.
#[derive(Debug, Default)]
pub struct Answers {
    admins: Vec<String>,
    password: Option<Secret>,
    /// Whether an administrator was asked again, by dpkg-reconfigure.
    asked_again: bool,
}

impl Answers {
    /// Reads postinst's two lines: names separated by blanks or commas, and a password.
    pub fn parse(text: &str, asked_again: bool) -> Self {
        let mut lines = text.lines();
        let admins = lines
            .next()
            .unwrap_or_default()
            .split([' ', ',', '\t'])
            .filter(|name| !name.is_empty())
            .map(str::to_lowercase)
            .collect();
        let password = lines
            .next()
            .filter(|password| !password.is_empty())
            .map(Secret::new);
        Self {
            admins,
            password,
            asked_again,
        }
    }
}

/// Name of the administrator where none was named.
const DEFAULT_ADMIN: &str = "admin";

/// Makes the first configuration unless there is one, and gives every administrator that it names a
/// password unless they have one. A password from debconf replaces that of the administrators named there.
pub fn ensure(paths: &Paths, runner: &dyn Runner, answers: &Answers) -> Result<(), HubError> {
    let path = paths.config_yaml();
    if !path.exists() {
        let admins = if answers.admins.is_empty() {
            vec![DEFAULT_ADMIN.to_string()]
        } else {
            answers.admins.clone()
        };
        let text = render_configuration(&admins)?;
        files::write_atomically(&path, text.as_bytes(), 0o600)?;
    } else if answers.asked_again
        && let Err(error) = add_admins(paths, &answers.admins)
    {
        // As below: the administrator's to mend.
        log::warn!(
            "{}",
            render_error(&error, error.hint().as_deref()).trim_end()
        );
        return Ok(());
    }
    let settings = match Settings::load(&path) {
        Ok(settings) => settings,
        Err(error) => {
            // The administrator's to mend; tljh-hub run says the same in the journal.
            log::warn!("{error}");
            return Ok(());
        }
    };
    if !first_use::is_meant(&settings.auth.class) {
        return Ok(());
    }
    if let Some(password) = &answers.password {
        let named = if answers.admins.is_empty() {
            &settings.users.admin
        } else {
            &answers.admins
        };
        for name in named {
            set_password(paths, runner, name, password, "--replace")?;
        }
    }
    let without = names_without_password(paths, runner, &settings.users.admin)?;
    if without.is_empty() {
        return Ok(());
    }
    let password = initial_password(paths)?;
    for name in &without {
        set_password(paths, runner, name, &password, "--random")?;
    }
    log::info!(
        "log in as `{}` with the password in {}",
        without.join("`, `"),
        paths.initial_admin_password().display()
    );
    Ok(())
}

/// Adds names to `users.admin`; what else the file says, and how, stays.
fn add_admins(paths: &Paths, names: &[String]) -> Result<(), HubError> {
    Store::new(paths.config_yaml()).edit(|document| {
        for name in names {
            document.add_item(&["users", "admin"], &json!(name))?;
        }
        Ok(())
    })
}

fn render_configuration(admins: &[String]) -> Result<String, HubError> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    // JSON strings are YAML strings, whatever they hold.
    registry.register_escape_fn(|text| serde_json::Value::from(text).to_string());
    let text = registry
        .render_template(
            include_str!("../../../templates/config.yaml.hbs"),
            &json!({ "admins": admins }),
        )
        .map_err(Box::new)?;
    if let Err(tljh_settings::SettingsError::Invalid { .. }) = Settings::parse(&text) {
        return Err(HubError::AdminName {
            name: admins.join(" "),
        });
    }
    Ok(text)
}

/// The password in the file, or a new one: 80 random bits that can be typed from a screen.
fn initial_password(paths: &Paths) -> Result<Secret, HubError> {
    let path = paths.initial_admin_password();
    if let Some(text) = files::read_optional(&path)?.filter(|text| !text.trim().is_empty()) {
        return Ok(Secret::new(text.trim()));
    }
    let digits = files::random_hex(10)?;
    let groups: Vec<&str> = (0..20)
        .step_by(5)
        .filter_map(|at| digits.expose().get(at..at + 5))
        .collect();
    let password = Secret::new(groups.join("-"));
    // Written before it is set: interrupted in between, the next run sets the same one.
    files::write_atomically(&path, format!("{}\n", password.expose()).as_bytes(), 0o600)?;
    Ok(password)
}

fn set_password(
    paths: &Paths,
    runner: &dyn Runner,
    name: &str,
    password: &Secret,
    option: &str,
) -> Result<(), HubError> {
    runner.run(
        &passwords::program(paths)
            .args(["set", option, "--"])
            .arg(paths.password_database())
            .arg(name)
            .input(password.clone()),
    )?;
    Ok(())
}

fn names_without_password(
    paths: &Paths,
    runner: &dyn Runner,
    names: &[String],
) -> Result<Vec<String>, HubError> {
    let database = paths.password_database();
    // To ask would start one more Python while people wait for the login page.
    if !passwords::is_there(&database) {
        return Ok(names.to_vec());
    }
    let asked = passwords::program(paths)
        .args(["without", "--"])
        .arg(database)
        .args(names);
    Ok(runner
        .run(&asked)?
        .stdout
        .lines()
        .map(String::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tljh_machine::Recorder;

    fn machine() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        files::ensure_folder(&paths.configuration(), 0o700).unwrap();
        (root, paths)
    }

    #[test]
    fn unattended_there_is_an_admin_with_a_password_in_a_file() {
        let (_root, paths) = machine();
        let runner = Recorder::default();
        ensure(&paths, &runner, &Answers::parse("\n\n", false)).unwrap();
        assert_eq!(
            Settings::load(&paths.config_yaml()).unwrap().users.admin,
            ["admin"]
        );
        let password = files::read_optional(&paths.initial_admin_password())
            .unwrap()
            .unwrap();
        assert_eq!(password.trim().len(), 23);
        assert!(
            runner
                .lines()
                .iter()
                .any(|line| line.contains("passwords set --") && line.ends_with(" admin"))
        );
        assert!(
            !runner
                .lines()
                .iter()
                .any(|line| line.contains(password.trim()))
        );
    }

    #[test]
    fn preseeded_admins_get_the_preseeded_password_and_no_file() {
        let (_root, paths) = machine();
        let runner = Recorder::default();
        // What `set` makes.
        files::ensure_folder(&paths.state(), 0o700).unwrap();
        std::fs::write(paths.password_database(), "").unwrap();
        ensure(
            &paths,
            &runner,
            &Answers::parse("Ada, grace\nhunter22\n", false),
        )
        .unwrap();
        assert_eq!(
            Settings::load(&paths.config_yaml()).unwrap().users.admin,
            ["ada", "grace"]
        );
        assert!(!paths.initial_admin_password().exists());
        let set = runner
            .lines()
            .iter()
            .filter(|line| line.contains("passwords set --replace"))
            .count();
        assert_eq!(set, 2);
    }

    #[test]
    fn an_existing_configuration_is_never_written() {
        let (_root, paths) = machine();
        std::fs::write(paths.config_yaml(), "users: {admin: [eve]}\n").unwrap();
        ensure(
            &paths,
            &Recorder::default(),
            &Answers::parse("ada\n\n", false),
        )
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(paths.config_yaml()).unwrap(),
            "users: {admin: [eve]}\n"
        );
    }

    #[test]
    fn asked_again_names_are_added_to_those_that_are_there() {
        let (_root, paths) = machine();
        std::fs::write(paths.config_yaml(), "# mine\nusers:\n  admin: [eve]\n").unwrap();
        ensure(
            &paths,
            &Recorder::default(),
            &Answers::parse("ada eve\n\n", true),
        )
        .unwrap();
        assert_eq!(
            Settings::load(&paths.config_yaml()).unwrap().users.admin,
            ["eve", "ada"]
        );
        assert!(
            std::fs::read_to_string(paths.config_yaml())
                .unwrap()
                .starts_with("# mine\n")
        );
    }

    #[test]
    fn a_broken_configuration_does_not_fail_the_installation() {
        let (_root, paths) = machine();
        std::fs::write(paths.config_yaml(), "users: [").unwrap();
        ensure(&paths, &Recorder::default(), &Answers::default()).unwrap();
    }

    #[test]
    fn names_that_yaml_would_misread_stay_strings() {
        let text =
            render_configuration(&["no".into(), "12".into(), "a: b".into(), "#x".into()]).unwrap();
        assert_eq!(
            Settings::parse(&text).unwrap().users.admin,
            ["no", "12", "a: b", "#x"]
        );
    }
}

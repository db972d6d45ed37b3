//! A small installation below a temporary root, with a real SQLite database and a Python that can copy it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tljh_machine::{Invocation, Paths, Runner as _, SystemRunner};

/// Where JupyterHub has its migrations.
pub const MIGRATIONS: &str =
    "opt/tljh/hub/lib/python3.11/site-packages/jupyterhub/alembic/versions";

pub struct Installation {
    _root: tempfile::TempDir,
    pub paths: Paths,
}

impl Installation {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::under(root.path());
        let made = Self { _root: root, paths };
        for folder in [
            made.paths.hub_snippets(),
            made.paths.account_registry(),
            made.paths.hub_python().parent().unwrap().into(),
            made.paths.runtime(),
            made.paths.root().join(MIGRATIONS),
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        for private in [made.paths.state(), made.paths.account_registry()] {
            fs::set_permissions(private, fs::Permissions::from_mode(0o700)).unwrap();
        }
        made.write("etc/tljh/config.yaml", "users: {admin: [ada]}\n");
        made.write(
            "etc/tljh/jupyterhub_config.d/own.py",
            "c.Spawner.debug = True\n",
        );
        symlink("config.yaml", made.paths.configuration().join("link")).unwrap();
        made.write("var/lib/tljh/jupyterhub_cookie_secret", "c00kie\n");
        made.write("var/lib/tljh/proxy-api-token", "t0ken\n");
        made.write("var/lib/tljh/passwords.dbm.dat", "hash of ada");
        made.write("var/lib/tljh/passwords.dbm.dir", "'ada', (0, 11)\n");
        made.write("var/lib/tljh/accounts/jupyter-ada.json", "{\"uid\":1001}\n");
        let first = "revision = 'one'\ndown_revision = None\n";
        made.write(&format!("{MIGRATIONS}/one_it_begins.py"), first);
        made.write("var/lib/tljh/database-schema", "one\n");
        let python = made.paths.hub_python();
        let modules = Path::new("python").canonicalize().unwrap();
        let script = format!(
            "#!/bin/sh\nPYTHONPATH={} exec python3 \"$@\"\n",
            modules.display()
        );
        fs::write(&python, script).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        made.sql("create table users (name text); insert into users values ('ada')");
        made
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.paths.root().join(path), text).unwrap();
    }

    pub fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.paths.root().join(path)).ok()
    }

    /// Runs statements on the hub's database; the rows of the last one, a line each.
    pub fn sql(&self, statements: &str) -> String {
        let code = "import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for statement in sys.argv[2].split(';'):
    rows = connection.execute(statement).fetchall()
connection.commit()
for row in rows: print(*row)";
        let database = self.paths.hub_database();
        let run = Invocation::new("python3").args(["-c", code]);
        let run = run.arg(database).arg(statements);
        SystemRunner.run(&run).unwrap().stdout
    }

    pub fn users(&self) -> String {
        self.sql("select name from users order by name")
    }
}

/// All paths below `folder` with their modes and contents, sorted.
pub fn inventory(folder: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for path in tljh_machine::files::list_folder(folder).unwrap() {
        let metadata = path.symlink_metadata().unwrap();
        let name = path.display().to_string();
        let mode = metadata.permissions().mode();
        if metadata.is_dir() {
            found.push((name, mode, Vec::new()));
            found.extend(inventory(&path));
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).unwrap().into_os_string();
            found.push((name, mode, target.into_encoded_bytes()));
        } else {
            found.push((name, mode, fs::read(&path).unwrap()));
        }
    }
    found
}

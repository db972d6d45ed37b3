//! Where everything lives, under one root.

use std::path::{Path, PathBuf};

/// The paths of an installation; below `/` on a real machine, below another folder in tests and images
/// (`DPKG_ROOT`).
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self::under("/")
    }
}

impl Paths {
    /// Paths below `root`.
    pub fn under(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// `/opt/tljh`: what people know from upstream.
    pub fn prefix(&self) -> PathBuf {
        self.at("opt/tljh")
    }

    /// The hub's environment, whose files dpkg owns.
    pub fn hub_environment(&self) -> PathBuf {
        self.at("opt/tljh/hub")
    }

    /// What running hubs hold on to of the files that dpkg replaces; on the file system of [`Self::hub_environment`].
    pub fn held(&self) -> PathBuf {
        self.at("opt/tljh/.hub")
    }

    /// The hub's configuration file, pages and vendor snippets, whose files dpkg owns.
    pub fn hub_files(&self) -> PathBuf {
        self.at("usr/share/tljh")
    }

    /// The hub environment's Python.
    pub fn hub_python(&self) -> PathBuf {
        self.at("opt/tljh/hub/bin/python")
    }

    /// Where the hub environment has its modules, below a folder for its Python.
    pub fn hub_libraries(&self) -> PathBuf {
        self.at("opt/tljh/hub/lib")
    }

    /// The active user environment: a link to a generation.
    pub fn user_environment(&self) -> PathBuf {
        self.at("opt/tljh/user")
    }

    /// The generations of the user environment.
    pub fn user_generations(&self) -> PathBuf {
        self.at("opt/tljh/generations")
    }

    /// Named environments: links to their generations.
    pub fn named_environments(&self) -> PathBuf {
        self.at("opt/tljh/envs")
    }

    /// The generations of named environments, a folder for each environment.
    pub fn named_generations(&self) -> PathBuf {
        self.at("opt/tljh/envs/.generations")
    }

    /// Where Jupyter finds the kernels of named environments (`JUPYTER_PATH`): below `kernels` in it.
    pub fn shared_jupyter(&self) -> PathBuf {
        self.at("opt/tljh/envs/.jupyter")
    }

    /// What was upstream's, set aside by tljh-hub's preinst; there until an adoption is committed or undone.
    pub fn upstream(&self) -> PathBuf {
        self.at("opt/tljh/.upstream")
    }

    /// The same while it is being deleted.
    pub fn upstream_committed(&self) -> PathBuf {
        self.at("opt/tljh/.upstream.committed")
    }

    /// Units and drop-ins that are no package's.
    pub fn local_units(&self) -> PathBuf {
        self.at("etc/systemd/system")
    }

    /// `/etc/tljh`.
    pub fn configuration(&self) -> PathBuf {
        self.at("etc/tljh")
    }

    /// The administrator's configuration.
    pub fn config_yaml(&self) -> PathBuf {
        self.at("etc/tljh/config.yaml")
    }

    /// The administrator's hub snippets, loaded last.
    pub fn hub_snippets(&self) -> PathBuf {
        self.at("etc/tljh/jupyterhub_config.d")
    }

    /// The password made at installation, when no administrator was preseeded.
    pub fn initial_admin_password(&self) -> PathBuf {
        self.at("etc/tljh/initial-admin-password")
    }

    /// `/var/lib/tljh`: all state.
    pub fn state(&self) -> PathBuf {
        self.at("var/lib/tljh")
    }

    /// The number of the state's version; absent in a state from before versions were counted.
    pub fn state_version(&self) -> PathBuf {
        self.at("var/lib/tljh/state-version")
    }

    /// The hub's database, unless the administrator's snippets name another one.
    pub fn hub_database(&self) -> PathBuf {
        self.at("var/lib/tljh/jupyterhub.sqlite")
    }

    /// The schema of the hub's database, by JupyterHub's name for it, as far as we know it.
    pub fn database_schema(&self) -> PathBuf {
        self.at("var/lib/tljh/database-schema")
    }

    /// What the hub signs cookies with.
    pub fn cookie_secret(&self) -> PathBuf {
        self.at("var/lib/tljh/jupyterhub_cookie_secret")
    }

    /// Backups of configuration and state, a folder for each.
    pub fn backups(&self) -> PathBuf {
        self.at("var/lib/tljh/backups")
    }

    /// One record for each account that was made.
    pub fn account_registry(&self) -> PathBuf {
        self.at("var/lib/tljh/accounts")
    }

    /// Passwords of the first-use authenticator.
    pub fn password_database(&self) -> PathBuf {
        self.at("var/lib/tljh/passwords.dbm")
    }

    /// Token of the proxy's REST API.
    pub fn proxy_api_token(&self) -> PathBuf {
        self.at("var/lib/tljh/proxy-api-token")
    }

    /// The proxy's settings, rendered from the configuration.
    pub fn proxy_settings(&self) -> PathBuf {
        self.at("var/lib/tljh/proxy.json")
    }

    /// Written by prerm on removal: the next installation enables the services again.
    pub fn removal_marker(&self) -> PathBuf {
        self.at("var/lib/tljh/removed")
    }

    /// Configurations that worked.
    pub fn configuration_history(&self) -> PathBuf {
        self.at("var/lib/tljh/config-history")
    }

    /// The administrator's snippets with which the hub answered last, as JSON.
    pub fn kept_snippets(&self) -> PathBuf {
        self.at("var/lib/tljh/config-history/snippets.json")
    }

    /// The kept snippets, for a hub that cannot use the administrator's.
    pub fn running_snippets(&self) -> PathBuf {
        self.at("run/tljh/jupyterhub_config.d")
    }

    /// Held by the one `tljh-config` that applies a configuration. In the state, for `/run/tljh` goes when the
    /// hub is stopped, and two files of one name would be two locks.
    pub fn reload_lock(&self) -> PathBuf {
        self.at("var/lib/tljh/reload.lock")
    }

    /// The text of the configuration that the hub was started with.
    pub fn running_configuration(&self) -> PathBuf {
        self.at("run/tljh/config.yaml")
    }

    /// What is known of the configuration that the hub was started with.
    pub fn running(&self) -> PathBuf {
        self.at("run/tljh/running.json")
    }

    /// `/run/tljh`: rendered settings.
    pub fn runtime(&self) -> PathBuf {
        self.at("run/tljh")
    }

    /// The hub's traits as JSON, read by its configuration file.
    pub fn hub_traits(&self) -> PathBuf {
        self.at("run/tljh/traits.json")
    }

    /// Where homes are made.
    pub fn homes(&self) -> PathBuf {
        self.at("home")
    }
}

"""Small packages, a signing key and a repository of one's own, built by the real scripts."""

import os
import subprocess
from pathlib import Path

from tests.machines.places import PROJECT

SCRIPTS = PROJECT / "packaging" / "repo"
KEYRING = "/usr/share/keyrings/tljh-archive-keyring.gpg"
SHIPPED = "/usr/share/tljh-archive-keyring/tljh.sources"

APT_CONF = """
Dir "{root}";
Dir::State::status "{root}/status";
Dir::Etc::parts "-";
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
Acquire::http::Proxy "DIRECT";
Acquire::Retries "0";
Acquire::Languages "none";
"""


class Workshop:
    """`debs`, `apt` and the signing key below one directory."""

    def __init__(self, directory, url="http://packages.tljh.test"):
        self.directory = Path(directory)
        self.debs = self.directory / "dist" / "debs"
        self.apt = self.directory / "dist" / "apt"
        self.key_home = self.directory / "key"
        self.url = url
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.directory),
            "TLJH_DIST": str(self.directory / "dist"),
            "TLJH_SIGNING_HOME": str(self.key_home),
            "REPO_URL": url,
        }

    def make_deb(self, suite, name, version, content="", fields="", scripts=None, files=None):
        """Write debs/<suite>/<name>_<version>_amd64.deb, which holds /usr/share/<name>/content."""
        tree = self.directory / "tree" / suite / f"{name}_{version}"
        for path, text in {f"usr/share/{name}/content": content or version, **(files or {})}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        (tree / "DEBIAN").mkdir(exist_ok=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nInstalled-Size: 2048\n"
            f"Maintainer: Nobody <nobody@example.org>\n{fields}Description: {name} for a test\n"
        )
        for script, text in (scripts or {}).items():
            (tree / "DEBIAN" / script).write_text(text)
            (tree / "DEBIAN" / script).chmod(0o755)
        target = self.debs / suite / f"{name}_{version}_amd64.deb"
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "--build", tree, target],
            check=True, capture_output=True,
        )
        return target

    def make_both(self, version, name="tljh", **options):
        for suite in ("bookworm", "trixie"):
            self.make_deb(suite, name, version, content=f"{suite} {version}", **options)

    def make_keyring(self, version):
        """The package tljh-archive-keyring with the present keys, for both suites."""
        keyring = self.directory / "keyring.gpg"
        self.run(SCRIPTS / "ensure-key.sh", keyring)
        for suite in ("bookworm", "trixie"):
            sources = self.run(SCRIPTS / "render.py", "sources", self.url, suite).stdout
            self.make_deb(
                suite, "tljh-archive-keyring", version,
                files={KEYRING[1:]: keyring.read_bytes(), SHIPPED[1:]: sources},
                scripts={name: (PROJECT / "debian/tljh-archive-keyring" / name).read_text() for name in ("postinst", "postrm")},
            )

    def keys(self, command, check=True):
        """Run keys.sh; returns the CompletedProcess."""
        return self.run(SCRIPTS / "keys.sh", command, check=check)

    def run(self, *command, check=True, **environment):
        return subprocess.run(
            [str(part) for part in command], env={**self.environment, **environment},
            capture_output=True, text=True, check=check,
        )

    def build(self, check=True, **environment):
        """Run build.sh; returns the CompletedProcess."""
        done = self.run(SCRIPTS / "build.sh", check=False, **environment)
        if check and done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        return done

    def fingerprint(self):
        return (self.key_home / "signing-key").read_text().strip()

    def index(self, suite):
        return self.apt / "dists" / suite / "main" / "binary-amd64" / "Packages"


class Reader:
    """The host's own apt with directories of its own, reading one suite of a repository."""

    def __init__(self, directory, url, suite, keyring):
        self.root = Path(directory)
        for part in ("etc/apt/sources.list.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial",
                     "var/cache/apt/archives/partial", "download"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        (self.root / "status").touch()
        (self.root / "apt.conf").write_text(APT_CONF.format(root=self.root))
        (self.root / "etc/apt/sources.list.d/tljh.sources").write_text(
            f"Types: deb\nURIs: {url}\nSuites: {suite}\nComponents: main\nSigned-By: {keyring}\n"
        )

    def run(self, *command):
        return subprocess.run(
            command, env={**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C.UTF-8"},
            cwd=self.root / "download", capture_output=True, text=True,
        )

    def update(self):
        return self.run("apt-get", "--error-on=any", "update")

    def versions(self, name="tljh"):
        """Versions that apt offers, newest first."""
        lines = self.run("apt-cache", "madison", name).stdout.splitlines()
        return [line.split("|")[1].strip() for line in lines]

    def download(self, package):
        return self.run("apt-get", "download", package)

    def downloaded(self):
        return sorted((self.root / "download").glob("*.deb"))

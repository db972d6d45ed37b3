"""systemd's units, manual pages and completions, read by what will read them."""

import gzip
import json
import re

import pytest

from tests.machines.places import PROJECT
from tests.package.debs import PROGRAMS

UNITS = sorted(path.name for path in (PROJECT / "systemd").iterdir() if path.suffix != ".sysusers")
COMPLETIONS = {
    "bash": "/usr/share/bash-completion/completions/{0}",
    "zsh": "/usr/share/zsh/vendor-completions/_{0}",
    "fish": "/usr/share/fish/vendor_completions.d/{0}.fish",
}


def test_units_are_where_systemd_looks_and_nothing_enables_them(debs):
    shipped = [path for deb in debs.values() for path in deb.files() if "/systemd/" in path]
    assert sorted(shipped) == [f"/usr/lib/systemd/system/{unit}" for unit in UNITS]


def test_systemd_accepts_every_unit(system):
    """With the pages that Documentation= names and the programs that ExecStart= starts."""
    paths = [f"/usr/lib/systemd/system/{unit}" for unit in UNITS]
    told = system.run("systemd-analyze", "verify", "--man=yes", *paths, check=False)
    # Only what is said of ours: a chroot has other faults.
    ours = [line for line in told.stderr.splitlines() if re.search(r"tljh|jupyterhub", line)]
    assert ours == []


def test_systemd_makes_the_identities(system):
    told = system.run("systemd-sysusers", "--dry-run", "/usr/lib/sysusers.d/tljh.conf", check=False)
    text = told.stdout + told.stderr
    assert told.returncode == 0, text
    for name in ("jupyterhub-users", "jupyterhub-admins", "tljh-proxy"):
        assert f"'{name}'" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_manual_pages_render_without_a_warning(debs, system, program):
    pages = [path for path in debs[program].files() if "/man/man8/" in path]
    assert f"/usr/share/man/man8/{program}.8.gz" in pages
    for page in pages:
        told = system.run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page,
                          environment={"MANROFFSEQ": "", "MANWIDTH": "80"})
        assert told.stderr == "", page
        name = page.rsplit("/", 1)[1].removesuffix(".8.gz")
        assert f".TH {name} 8" in gzip.decompress((system.root / page.lstrip("/")).read_bytes()).decode()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", COMPLETIONS)
def test_completions_load(system, shell, program):
    path = COMPLETIONS[shell].format(program)
    load = {
        "bash": f"set -e; . {path}; complete -p {program}",
        "zsh": f"autoload -Uz compinit; compinit -D -u; whence -w _{program}; echo $_comps[{program}]",
        "fish": f"source {path}; complete -C '{program} --h'",
    }[shell]
    told = system.run(shell, "-c", load)
    assert told.stderr == ""
    expected = {"bash": f" {program}\n", "zsh": f"_{program}", "fish": "--help"}[shell]
    assert expected in told.stdout.replace("\\", "")


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_keys_of_the_configuration_complete_without_root(system, shell):
    path = COMPLETIONS[shell].format("tljh-config")
    complete = {
        "bash": f". {path}; COMP_WORDS=(tljh-config set limits.) COMP_CWORD=2 COMP_TYPE=9; "
                "spec=$(complete -p tljh-config); spec=${spec##*-F }; ${spec%% *} tljh-config limits. set; "
                "printf '%s\\n' ${COMPREPLY[*]}",
        "zsh": "compdef() { : }; _describe() { local name=$argv[-1]; print -rl -- ${(P)name} }; "
               "autoload -Uz _tljh-config; words=(tljh-config set limits.) CURRENT=3; _tljh-config",
        "fish": f"source {path}; complete -C 'tljh-config set limits.'",
    }[shell]
    told = system.run(shell, "-c", complete, user="nobody")
    assert {re.split(r"[:\t]", line)[0] for line in told.stdout.split("\n") if line} == {"limits.memory", "limits.cpu"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_manual_page_names_every_subcommand_of_the_help(system, program):
    told = system.run(f"/usr/bin/{program}", "--help").stdout
    commands = re.search(r"^Commands:\n((?:  .*\n|\n)+)", told, re.MULTILINE)
    names = [name for name in re.findall(r"^  ([a-z-]+)(?: |$)", commands[1] if commands else "", re.MULTILINE) if name != "help"]
    for name in names:
        assert (system.root / f"usr/share/man/man8/{program}-{name}.8.gz").exists()


def test_the_schema_for_editors_is_where_the_documentation_says(system):
    """The path is that of the `yaml-language-server` line in docs/configuration.md."""
    (path,) = re.findall(r"\$schema=(\S+)", (PROJECT / "docs/configuration.md").read_text())
    schema = json.loads((system.root / path.lstrip("/")).read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["limits"]["properties"]["memory"]["examples"] == ["2G"]

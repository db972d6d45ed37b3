"""Generations: a process keeps its own, a switch is one rename, and nothing is shared that is written in place."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest


def install(installation, *requirements):
    """The number of the generation that has them."""
    return installation.json("install", *requirements)["generation"]


def contents(folder):
    """{path: (mode, digest or target)} of everything in a folder but bytecode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts or path.is_dir() and not path.is_symlink():
            continue
        value = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, value)
    return found


def test_the_first_generation_is_the_bundle_behind_a_link(installation):
    assert installation.active() == 1
    record = json.loads((installation.generations / "1.json").read_text())
    assert (record["state"], record["parent"], record["engine"]) == ("ready", None, "venv")
    versions = {package["name"]: package["version"] for package in record["packages"]}
    told = installation.python(
        "from importlib.metadata import version; print(version('jupyterlab'), version('jupyterhub'))"
    )
    assert told.split() == [versions["jupyterlab"], versions["jupyterhub"]]
    assert (installation.generations / "1.json").stat().st_mode & 0o777 == 0o644
    assert installation.generations.stat().st_mode & 0o777 == 0o755
    assert (installation.generations / ".private").stat().st_mode & 0o777 == 0o700


def test_everything_names_the_link_and_nothing_the_generation(installation):
    own = str(installation.folder(1)).encode()
    naming = [path for path in installation.folder(1).rglob("*")
              if path.is_file() and path.suffix != ".pyc" and own in path.read_bytes()]
    assert naming == []
    assert (installation.link / "bin/jupyter").read_text().startswith(f"#!{installation.link}/bin/python\n")
    assert str(installation.link) in (installation.link / "bin/activate").read_text()


def test_ensure_again_changes_nothing(installation):
    def look():
        found = {path: path.lstat() for path in installation.generations.rglob("*") if path.name != ".lock"}
        return {path: (stat.st_ino, stat.st_mtime_ns, stat.st_mode) for path, stat in found.items()}

    before = look()
    installation.run("ensure")
    assert look() == before


def test_a_process_keeps_its_generation_and_a_new_one_gets_the_new(installation):
    for version in ("1.0", "2.0"):
        installation.make_wheel("lesson", version, {"lesson/late.py": f"VERSION = {version!r}\n"})
    install(installation, "lesson==1.0")
    code = ("import sys, lesson; print('ready', flush=True); input(); import lesson.late;"
            "from jupyter_core.paths import ENV_JUPYTER_PATH;"
            "print(lesson.late.VERSION, lesson.late.__file__, sys.executable, ENV_JUPYTER_PATH[0])")
    old = subprocess.Popen([installation.link / "bin/python", "-c", code], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True, cwd="/")
    assert old.stdout.readline() == "ready\n"
    number = install(installation, "lesson==2.0")
    printed, _ = old.communicate("\n", timeout=60)
    version, file, executable, data = printed.split()
    assert version == "1.0"
    assert file == str(installation.site(number - 1) / "lesson/late.py")
    # What it starts is the active one.
    assert executable == str(installation.link / "bin/python")
    assert data == str(installation.folder(number - 1) / "share/jupyter")
    assert installation.python("import lesson.late; print(lesson.late.VERSION)") == "2.0"
    assert subprocess.run([executable, "-c", "import lesson; print(lesson.VERSION)"], capture_output=True, text=True,
                          cwd="/").stdout == "2.0\n"


def test_the_path_of_modules_has_each_folder_once_and_the_users_own(installation, tmp_path):
    code = "import sys, json; print(json.dumps([sys.path, sys.prefix, sys.base_prefix]))"
    user = tmp_path / f".local/lib/{installation.site().parent.name}/site-packages"
    user.mkdir(parents=True)
    (installation.site() / "aa-extra.pth").write_text("extra\n")
    (installation.site() / "extra").mkdir()
    done = subprocess.run([installation.link / "bin/python", "-c", code], capture_output=True, text=True, cwd="/",
                          env={"HOME": str(tmp_path)}, check=True)
    path, prefix, base = json.loads(done.stdout)
    own = str(installation.folder(1))
    assert prefix == own and base == "/usr"
    assert len(path) == len(set(path))
    assert str(installation.site(1)) in path and str(installation.site(1) / "extra") in path and str(user) in path
    assert not [each for each in path if each.startswith(str(installation.link)) or "dist-packages" in each]


def test_installers_see_the_link_and_install_into_the_active_generation(installation):
    code = "import sys, sysconfig; print(sys.prefix, sysconfig.get_path('purelib'))"
    told = subprocess.run(
        [installation.link / "bin/python", "-I", "-c", code], capture_output=True, text=True, check=True,
    ).stdout.split()
    assert told == [str(installation.link), str(installation.site())]
    installation.make_wheel("lesson", "1.0", scripts={"lesson": "lesson:main"})
    installation.make_wheel("other", "1.0", scripts={"other": "other:main"})
    installation.pip("install", "lesson")
    uv = installation.root / "usr/lib/tljh-user-env/uv"
    subprocess.run([uv, "pip", "install", "-q", "--python", installation.link / "bin/python", "other"], check=True,
                   env=installation.environment(UV_CACHE_DIR=str(installation.root / "cache")))
    for name in ("lesson", "other"):
        assert (installation.site(1) / name).is_dir()
        assert (installation.folder(1) / "bin" / name).read_text().startswith(f"#!{installation.link}/bin/python\n")
    installation.pip("uninstall", "-y", "other")
    assert not (installation.site(1) / "other").exists()


def test_an_older_generation_stays_the_same_to_the_byte(installation):
    for version in ("1.0", "2.0"):
        # Two packages that write one program, which installers overwrite where it stands.
        data = {"lesson/data.txt": version * 10_000}
        installation.make_wheel("lesson", version, data, scripts={"shared": "lesson:main"})
    installation.make_wheel("other", "1.0", scripts={"shared": "other:main"})
    old = install(installation, "lesson==1.0")
    before = contents(installation.folder(old))
    new = install(installation, "lesson==2.0", "other")
    installation.pip("install", "--force-reinstall", "--no-deps", "lesson==1.0")
    (installation.link / "etc/jupyter/mine.json").write_text("{}")
    (installation.link / "pyvenv.cfg").write_text((installation.link / "pyvenv.cfg").read_text() + "prompt = x\n")
    assert contents(installation.folder(old)) == before
    assert contents(installation.folder(new)) != before


def test_generations_share_what_they_have_in_common(installation):
    installation.make_wheel("lesson", "1.0")
    for number in range(4):
        installation.make_wheel("lesson", f"1.{number}")
        install(installation, f"lesson==1.{number}")
    assert installation.numbers() == [1, 2, 3, 4, 5]
    size = {name: int(subprocess.run(["du", "-sk", name], capture_output=True, text=True, cwd=installation.generations,
                                     check=True).stdout.split()[0]) for name in ("1", ".")}
    assert size["."] < 1.3 * size["1"]


def test_rollback_goes_to_where_the_active_one_came_from(installation):
    installation.make_wheel("lesson", "1.0")
    installation.make_wheel("other", "1.0")
    assert install(installation, "lesson") == 2
    assert installation.json("rollback")["generation"] == 1
    assert install(installation, "other") == 3
    assert installation.json("rollback")["generation"] == 1
    assert installation.json("rollback", 2)["generation"] == 2
    assert installation.active() == 2
    assert installation.python("import lesson; print(lesson.VERSION)") == "1.0"
    refused = installation.run("rollback", 9, check=False)
    assert refused.returncode == 1 and "no generation 9" in refused.stderr and "history" in refused.stderr
    assert installation.active() == 2
    installation.run("rollback")
    refused = installation.run("rollback", check=False)
    assert refused.returncode == 1 and installation.active() == 1


def test_history_and_diff_tell_who_changed_what(installation):
    installation.make_wheel("lesson", "1.0")
    installation.make_wheel("lesson", "2.0")
    installation.run("install", "lesson==1.0", SUDO_USER="maria")
    installation.run("install", "lesson==2.0", SUDO_USER="ada")
    lines = [json.loads(line) for line in installation.run("history", "--json").stdout.splitlines()]
    assert [(line["number"], line["active"]) for line in lines] == [(3, True), (2, False), (1, False)]
    assert [line["by"] for line in lines[:2]] == ["ada", "maria"]
    assert lines[0]["changes"] == [{"name": "lesson", "before": "1.0", "after": "2.0"}]
    assert "install lesson==2.0" in lines[0]["command"]
    assert installation.run("diff").stdout == "~ lesson 1.0 -> 2.0\n"
    assert installation.run("diff", 1).stdout == "+ lesson 2.0\n"
    assert installation.run("diff", 3, 1).stdout == "- lesson 2.0\n"
    people = installation.run("history").stdout.splitlines()
    assert people[0].startswith("*   3  ") and "ada: " in people[0] and "(~ lesson 1.0 -> 2.0)" in people[0]


def test_prune_keeps_what_is_active_first_or_in_use(installation):
    for number in range(4):
        installation.make_wheel("lesson", f"1.{number}")
        install(installation, f"lesson==1.{number}")
    assert installation.numbers() == [1, 2, 3, 4, 5]
    installation.run("rollback", 4)
    # As a kernel has libraries of its generation mapped.
    code = "import sys, zmq; print('ready', flush=True); input()"
    python = [installation.folder(2) / "bin/python", "-c", code]
    kernel = subprocess.Popen(python, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")
    try:
        assert kernel.stdout.readline() == "ready\n"
        assert installation.json("prune", "--keep", 1, "--dry-run")["removed"] == [3]
        assert installation.numbers() == [1, 2, 3, 4, 5]
        assert installation.json("prune", "--keep", 1)["removed"] == [3]
    finally:
        kernel.communicate("\n")
    assert installation.numbers() == [1, 2, 4, 5]
    assert installation.json("prune", "--keep", 0)["removed"] == [5, 2]
    assert installation.numbers() == [1, 4] and installation.active() == 4
    assert installation.python("import lesson; print(lesson.VERSION)") == "1.2"


def test_an_environment_from_before_generations_is_taken_in_while_it_is_used(installation):
    as_before(installation)
    code = "print('ready', flush=True); input(); import jupyterlab; print(jupyterlab.__file__)"
    server = subprocess.Popen([installation.link / "bin/python", "-c", code], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, cwd="/")
    assert server.stdout.readline() == "ready\n"
    installation.run("ensure")
    printed, _ = server.communicate("\n", timeout=60)
    assert printed.strip().endswith("jupyterlab/__init__.py")
    assert installation.active() == 1 and installation.numbers() == [1]
    assert (installation.link / "mine").read_text() == "kept"
    assert installation.python("import sys; print(sys.prefix)") == str(installation.folder(1))


def as_before(installation):
    """What the version before generations made: a folder, without the hook."""
    os.unlink(installation.link)
    installation.folder(1).rename(installation.link)
    shutil.rmtree(installation.generations)
    for name in ("tljh_generation.py", "zz-tljh-generation.pth"):
        (installation.site() / name).unlink()
    (installation.link / "mine").write_text("kept")


def test_a_lost_link_is_made_again_and_a_lost_everything_too(installation):
    os.unlink(installation.link)
    installation.run("ensure")
    assert installation.active() == 1
    os.unlink(installation.link)
    shutil.rmtree(installation.generations)
    assert installation.json("status")["state"] == "absent"
    installation.run("ensure")
    assert installation.json("status")["state"] == "complete"
    assert installation.python("import jupyterlab; print(1)") == "1"


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_others_put_in_its_place_is_refused_and_left_alone(installation, what):
    os.unlink(installation.link)
    shutil.rmtree(installation.generations)
    if what == "folder":
        installation.link.mkdir()
        (installation.link / "mine").write_text("x")
    else:
        installation.link.symlink_to("/usr")
    refused = installation.run("ensure", check=False)
    assert refused.returncode == 1 and "was not made by tljh-user-env" in refused.stderr and "hint:" in refused.stderr
    assert not installation.generations.exists()
    assert os.listdir(installation.link) == (["mine"] if what == "folder" else os.listdir("/usr"))

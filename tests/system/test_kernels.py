"""Kernels beside the one of everybody's environment: those that the teacher makes for all, and students' own."""

import json
import os
import shutil

import pytest

from tests.machines.environment import wait_until_settled
from tests.machines.hub_client import HubClient
from tests.machines.install import wait_for_login_page
from tests.machines.places import wait_for
from tests.user_env.wheels import make_wheel

ON_ANY_RELEASE = True

PASSWORD = "a first password"
WHEELS = "/srv/wheels"
BUNDLE = "/usr/lib/tljh-user-env"
OFFLINE = f"--quiet --no-index --find-links {BUNDLE}/wheels --find-links {WHEELS}"
SHELL = """
import json, subprocess
done = subprocess.run({!r}, shell=True, capture_output=True, text=True)
print(json.dumps([done.returncode, done.stdout, done.stderr]))
"""


@pytest.fixture(scope="module")
def wheels(shared):
    """The machine's own index, a folder, which `tljh-user-env` knows by uv's configuration."""
    folder = shared.root / WHEELS.lstrip("/")
    for name in ("lesson", "own"):
        make_wheel(folder, name, "1.0")
    shared.run("mkdir -p /etc/uv")
    shared.write("/etc/uv/uv.toml", f'[[index]]\nurl = "{WHEELS}"\nformat = "flat"\ndefault = true\n')


@pytest.fixture(scope="module")
def student(shared, teacher, wheels):
    teacher.add_user("pupil")
    client = HubClient(shared.url, "pupil").login(PASSWORD)
    client.start_server()
    return client


def desk_of(client):
    """What a person types into a cell after `!`, without a question of whether it failed."""
    kernel = client.start_kernel()
    return lambda command: json.loads(kernel.run(SHELL.format(command), timeout=600))


@pytest.fixture(scope="module")
def desk(teacher, wheels):
    teacher.start_server()
    return desk_of(teacher)


@pytest.fixture(scope="module")
def type_in(student):
    """As a student: run a command, which must succeed; what it printed."""
    run = desk_of(student)

    def type_in(command):
        code, printed, said = run(command)
        assert code == 0, said
        return printed

    return type_in


def test_a_kernel_that_the_teacher_makes_appears_in_a_running_server_and_runs(shared, student, desk):
    assert list(student.kernels()) == ["python3"]
    code, printed, said = desk("sudo tljh-user-env create stats --display-name 'Statistics 2' lesson --json")
    assert code == 0, said
    assert json.loads(printed)["path"] == "/opt/tljh/envs/stats"
    assert student.kernels()["stats"] == "Statistics 2"
    kernel = student.start_kernel(name="stats")
    assert kernel.run("import lesson; print(lesson.VERSION)") == "1.0\n"
    assert kernel.run("import sys; print(sys.executable)") == "/opt/tljh/envs/stats/bin/python\n"
    absent = "import importlib.util; print(importlib.util.find_spec('lesson'))"
    assert student.start_kernel().run(absent) == "None\n"
    specs = student.request("GET", student.user_url() + "api/kernelspecs").json()["kernelspecs"]
    assert student.request("GET", specs["stats"]["resources"]["logo-svg"]).status == 200


def test_terminals_and_jupyters_own_commands_know_it(type_in):
    listed = json.loads(type_in("bash -lc 'jupyter kernelspec list --json'"))["kernelspecs"]
    assert sorted(listed) == ["python3", "stats"]


def test_students_cannot_change_it_and_admins_can_without_sudo(shared, student, desk):
    code, _, said = desk_of(student)("tljh-user-env delete stats --yes")
    assert code == 1 and "sudo" in said
    writable = "find /opt/tljh/envs -ignore_readdir_race ! -readable -prune -o -writable ! -type l -print"
    assert shared.output(writable, user="jupyter-pupil") == ""
    assert shared.output("stat -L -c '%U:%G %a' /opt/tljh/envs/stats /opt/tljh/envs/stats/lib").splitlines() == \
        ["root:jupyterhub-admins 2775"] * 2
    code, _, said = desk(f"/opt/tljh/envs/stats/bin/pip install {OFFLINE} own")
    assert code == 0, said
    assert student.start_kernel(name="stats").run("import own; print(own.VERSION)") == "1.0\n"
    told = desk("tljh-user-env list --env stats --json")[1]
    assert [each["name"] for each in json.loads(told)["by_hand"]] == ["own"]


def test_its_bytecode_is_made_beside_the_lesson(shared):
    bytecode = "/opt/tljh/envs/stats/lib/python3*/site-packages/ipykernel/__pycache__"
    wait_until_settled(shared)
    shared.run(f"test -d {bytecode}")


def test_a_jupyter_path_of_the_administrators_is_kept(shared, teacher):
    snippet = "/etc/tljh/jupyterhub_config.d/path.py"
    shared.write(snippet, "c.Spawner.environment = {'JUPYTER_PATH': '/srv/jupyter'}\n")
    shared.run("tljh-config reload", timeout=120)
    wait_for_login_page(shared)
    teacher.add_user("other")
    other = HubClient(shared.url, "other").login(PASSWORD)
    other.start_server()
    told = other.start_kernel().run("import os; print(os.environ['JUPYTER_PATH'])")
    assert told == "/srv/jupyter:/opt/tljh/envs/.jupyter\n"
    assert "stats" in other.kernels()
    other.stop_server()
    shared.run(f"rm {snippet} && tljh-config reload", timeout=120)
    wait_for_login_page(shared)


# Students' own

PREPARED = {
    "everybodys": "python -m ipykernel install --user --name everybodys --display-name Mine",
    "venv": f"python3 -m venv --without-pip venv && pip --python venv install {OFFLINE} ipykernel own"
            " && venv/bin/python -m ipykernel install --user --name venv --display-name Mine",
    "systems": f"/usr/bin/python3 -m venv --without-pip systems && pip --python systems install {OFFLINE} ipykernel own"
               " && systems/bin/python -m ipykernel install --user --name systems --display-name Mine",
    "uv": f"{BUNDLE}/uv venv -q uv && {BUNDLE}/uv pip install --python uv {OFFLINE} ipykernel own"
          " && uv/bin/python -m ipykernel install --user --name uv --display-name Mine",
}


@pytest.mark.parametrize("name", PREPARED)
def test_a_student_makes_a_kernel_without_rights(student, type_in, name):
    type_in(f"cd && {PREPARED[name]}")
    assert student.kernels()[name] == "Mine"
    kernel = student.start_kernel(name=name)
    if name == "everybodys":
        assert kernel.run("import jupyterlab, sys; print(sys.executable)") == "/opt/tljh/user/bin/python\n"
    else:
        assert kernel.run("import own, sys; print(own.VERSION, sys.prefix)") == f"1.0 /home/jupyter-pupil/{name}\n"


def test_a_kernel_specification_in_the_home_as_conda_environments_have_it_works(student, type_in):
    spec = {"argv": ["/home/jupyter-pupil/uv/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python [conda env:bio]", "language": "python",
            "env": {"CONDA_PREFIX": "/home/jupyter-pupil/uv", "CONDA_DEFAULT_ENV": "bio"}}
    folder = "~/.local/share/jupyter/kernels/conda-env-bio-py"
    type_in(f"mkdir -p {folder} && echo '{json.dumps(spec)}' > {folder}/kernel.json")
    assert student.kernels()["conda-env-bio-py"] == "Python [conda env:bio]"
    kernel = student.start_kernel(name="conda-env-bio-py")
    assert kernel.run("import os, own; print(os.environ['CONDA_DEFAULT_ENV'], own.VERSION)") == "bio 1.0\n"


# Gone

def test_a_deleted_environment_disappears_from_a_running_server_and_its_kernel_ends_in_peace(shared, student, desk):
    running = student.start_kernel(name="stats")
    assert running.run("print(1)") == "1\n"
    code, _, said = desk("sudo tljh-user-env delete --yes stats")
    assert code == 0, said
    assert "stats" not in student.kernels() and "venv" in student.kernels()
    assert not os.path.lexists(shared.root / "opt/tljh/envs/stats")
    assert running.run("import lesson; print(lesson.VERSION)") == "1.0\n"
    student.stop_server()
    shared.run("tljh-user-env prune", timeout=120)
    wait_for(lambda: not (shared.root / "opt/tljh/envs/.generations/stats").exists(), 60, "its files are gone")


def test_purge_takes_environments_away_and_leaves_students_own(shared):
    shared.run("tljh-user-env create again", timeout=600)
    shared.run("apt-get -q -y purge tljh", timeout=300)
    assert os.listdir(shared.root / "opt/tljh") == ["hub"]
    assert (shared.root / "home/jupyter-pupil/.local/share/jupyter/kernels/venv/kernel.json").exists()
    shutil.rmtree(shared.root / "etc/uv")

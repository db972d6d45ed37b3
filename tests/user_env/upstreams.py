"""An environment as upstream's installer leaves it."""

import json
import shutil

OURS = ("tljh_generation.py", "tljh-user-site.pth", "zz-tljh-generation.pth", ".tljh-environment.json", ".tljh-activation.json")


def as_upstreams(made, number):
    """Have the folder of a generation stand as upstream's environment does: for this path, and with nothing of ours."""
    made.link.unlink()
    made.folder(number).rename(made.link)
    shutil.rmtree(made.generations)
    for name in OURS:
        for path in made.link.rglob(name):
            path.unlink()
    made.kept = made.root / "opt/tljh/.upstream/user"
    made.kept.parent.mkdir()
    return inside(made.link)


def inside(folder):
    """Every file of an environment: inode, time, mode and length."""
    found = {path.relative_to(folder): path.lstat() for path in folder.rglob("*") if not path.is_dir()}
    return {path: (stat.st_ino, stat.st_mtime_ns, stat.st_mode, stat.st_size)
            for path, stat in found.items() if "__pycache__" not in path.parts}


def take_over(made, **options):
    return json.loads(made.run("take-over", made.kept, **options).stdout)

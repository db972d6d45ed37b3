"""What the package brings for environments, and that of a later version: other wheels, another lock."""

import hashlib
import re
import shutil

from tests.machines.places import PROJECT
from tests.user_env.index import normal
from tests.user_env.wheels import repack


def parts(folder):
    """{name: path} of what the package brings to make environments of, for the folder that `packaging/environments.sh` made or
    for the package's own; what the first has not is the project's."""
    made = {name: folder / name for name in ("uv", "wheels", "bytecode.tar.xz", "bytecode.py", "requirements.txt")}
    return {name: path if path.exists() else PROJECT / "packaging/user-env" / name for name, path in made.items()}


class Lock:
    """The wheels and the lock of a bundle in `folder`, which a test may change."""

    def __init__(self, folder):
        self.folder, self.wheels, self.lock = folder, folder / "wheels", folder / "requirements.txt"

    def find(self, name):
        return [wheel for wheel in self.wheels.iterdir() if normal(wheel.name.split("-")[0]) == name]

    def wheel(self, name):
        return self.find(name)[0]

    def version(self, name):
        return self.wheel(name).name.split("-")[1]

    def add(self, wheel):
        """Brings `wheel`, in the place of the one of that name."""
        name, version = normal(wheel.name.split("-")[0]), wheel.name.split("-")[1]
        if self.find(name):
            self.drop(name)
        shutil.copy(wheel, self.wheels)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        with self.lock.open("a") as lock:
            lock.write(f"{name}=={version} \\\n    --hash=sha256:{digest}\n")

    def drop(self, name):
        """Brings `name` no longer."""
        self.wheel(name).unlink()
        self.lock.write_text(re.sub(rf"^{re.escape(name)}==.*\n(?:[ \t].*\n)*", "", self.lock.read_text(), flags=re.M))

    def renew(self, name, version, requires=None):
        """Brings `name` in another version, its content the same."""
        made = repack(self.wheel(name), self.folder / "made", version, requires)
        self.add(made)
        shutil.rmtree(self.folder / "made")


class Bundle(Lock):
    """The bundle of an installation; what others share stays as it is."""

    def __init__(self, installation):
        super().__init__(installation.root / "usr/lib/tljh-user-env")
        old, text = self.wheels.resolve(), self.lock.read_text()
        self.wheels.unlink()
        self.lock.unlink()
        self.wheels.mkdir()
        for wheel in old.iterdir():
            (self.wheels / wheel.name).symlink_to(wheel)
        self.lock.write_text(text)

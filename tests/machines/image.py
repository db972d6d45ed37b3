"""Disk images for virtual machines, made from the trees that machines in containers use, kept outside the checkout."""

import hashlib
import subprocess
import tempfile
from pathlib import Path

from .places import CACHE, locked

# What a tree needs besides to be booted by QEMU and to be spoken with.
PACKAGES = ("linux-image-cloud-amd64", "qemu-guest-agent")
# Bytes; the file takes what is used.
SIZE = 8 << 30
RECIPE = 1
KEPT = 4

# The network that QEMU shows its guest: https://wiki.qemu.org/Documentation/Networking
NETWORK = """[Match]
Type=ether

[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
"""
FILES = {
    "etc/hostname": "classroom\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 classroom\n::1 localhost\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/systemd/network/ethernet.network": NETWORK,
}
WANTED = "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"


def ensure_image(layers):
    """A raw image of a disk that holds `layers`, lowest first; never written to."""
    key = "\n".join([str(RECIPE), str(SIZE), *FILES.values(), *(layer.name for layer in layers)])
    image = CACHE / "images" / f"{hashlib.sha256(key.encode()).hexdigest()[:12]}.img"
    with locked("images"):
        if not image.exists():
            image.parent.mkdir(parents=True, exist_ok=True)
            forget_oldest(image.parent)
            make_image(layers, image)
        image.touch()
    return image


def forget_oldest(folder):
    images = sorted(folder.glob("*.img"), key=lambda image: image.stat().st_mtime, reverse=True)
    for image in images[KEPT - 1:]:
        # A machine that still runs on it keeps it open.
        image.unlink()


def make_image(layers, image):
    partial = image.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=image.parent) as folder:
        parts = {name: Path(folder) / name for name in ("upper", "work", "root")}
        for part in parts.values():
            part.mkdir()
        lower = ":".join(str(layer) for layer in reversed(layers))
        options = f"lowerdir={lower},upperdir={parts['upper']},workdir={parts['work']},redirect_dir=on,index=off"
        subprocess.run(["mount", "-t", "overlay", "image", "-o", options, parts["root"]], check=True)
        try:
            furnish(parts["root"])
            with open(partial, "wb") as file:
                file.truncate(SIZE)
            subprocess.run(
                ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", "-d", parts["root"], partial], check=True
            )
        finally:
            subprocess.run(["umount", parts["root"]], check=True)
    partial.rename(image)


def furnish(root):
    """What a container is given from outside."""
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / WANTED).parent.mkdir(parents=True, exist_ok=True)
    (root / WANTED).symlink_to("/lib/systemd/system/systemd-networkd.service")
    (root / "etc/apt/apt.conf.d/01debian-cache").unlink(missing_ok=True)


def kernel_of(tree):
    """The kernel and the initial RAM disk that the Debian in `tree` boots."""
    found = [sorted((tree / "boot").glob(pattern))[-1] for pattern in ("vmlinuz-*", "initrd.img-*")]
    return tuple(found)


def make_copy(image, disk):
    """A disk at `disk` that begins as `image` and keeps what is written to itself."""
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, disk], check=True
    )


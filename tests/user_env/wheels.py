"""Small wheels of the tests' own, with whatever content and needs a promise asks for."""

import base64
import hashlib
import re
import zipfile


def make_wheel(folder, name, version, files=None, requires=(), scripts=None, python=None, summary=None,
               tag="py3-none-any"):
    """Write `name`-`version`, for Pythons like `python`, into `folder`; its module `name` knows its VERSION.

    Returns the wheel's path.
    """
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    more = f"Summary: {summary}\n" if summary else ""
    more += f"Requires-Python: {python}\n" if python else ""
    content = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}{needs}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if scripts:
        lines = "".join(f"{script} = {target}\n" for script, target in scripts.items())
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    record = "".join(f"{file},sha256={digest(text)},{len(text.encode())}\n" for file, text in content.items())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in content.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


def repack(wheel, folder, version, requires=None):
    """Write `wheel` again as if it were of another version, with other needs if `requires` is given. Returns its path."""
    name, old, tags = wheel.name.split("-", 2)
    info, new = f"{name}-{old}.dist-info", f"{name}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tags}"
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for file in source.namelist():
            content = source.read(file)
            if file == f"{info}/METADATA":
                content = renumbered(content.decode(), old, version, requires).encode()
            if file == f"{info}/RECORD":
                content = re.sub(f"^{re.escape(info)}/METADATA,.*\n", f"{new}/METADATA,,\n", content.decode(), flags=re.M)
                content = content.replace(f"{info}/", f"{new}/").encode()
            target.writestr(file.replace(f"{info}/", f"{new}/", 1), content)
    return path


def renumbered(metadata, old, version, requires):
    metadata = metadata.replace(f"\nVersion: {old}\n", f"\nVersion: {version}\n", 1)
    if requires is not None:
        headers, _, rest = metadata.partition("\n\n")
        kept = [line for line in headers.splitlines() if not line.startswith("Requires-Dist:")]
        metadata = "\n".join([*kept, *(f"Requires-Dist: {need}" for need in requires)]) + "\n\n" + rest
    return metadata


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

"""Small wheels of the tests' own, with whatever content and needs a promise asks for."""

import base64
import hashlib
import zipfile


def make_wheel(folder, name, version, files=None, requires=(), scripts=None, python=None, summary=None):
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
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if scripts:
        lines = "".join(f"{script} = {target}\n" for script, target in scripts.items())
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    record = "".join(f"{file},sha256={digest(text)},{len(text.encode())}\n" for file, text in content.items())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in content.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

#!/usr/bin/python3
"""copyright.py ROOT: prints the copyright file of a package whose files are staged at ROOT.

It is debian/copyright, with a paragraph for each Python distribution that the package bundles
and the crates that its programs contain, as their own metadata has them; so the file cannot
differ from what is shipped. Fails when a distribution or a crate names no licence.
"""

import re
import sys
from pathlib import Path

from contents import PROJECT, crates, installed, programs, wheels

# The licences whose texts Debian's base-files holds, of those that occur.
COMMON = ("Apache-2.0", "GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3", "MPL-2.0")


def distribution_paragraph(one):
    lines = [f"Files: {' '.join(one.files)}"]
    lines += ["Copyright: " + "\n ".join(one.holders()), f"License: {one.licence()}"]
    lines += [f" {one.name} {one.version}."]
    if one.texts:
        lines += [f" The text is {one.where}:"] + [f"  {name}" for name in one.texts]
    return "\n".join(lines)


def program_paragraph(program, root):
    lines = [f"Files: {program.relative_to(root)}", "Copyright: 2026 The Littlest JupyterHub packagers",
             " and the authors of the crates below", "License: BSD-3-Clause and others",
             " The program contains these crates, published at crates.io under these licences:"]
    lines += [f"  {one.name} {one.version}: {one.licence}" for one in crates(program.name).values() if not one.ours]
    return "\n".join(lines)


def main(root):
    parts = [(PROJECT / "debian/copyright").read_text().rstrip()]
    parts += [program_paragraph(program, root) for program in programs(root)]
    parts += [distribution_paragraph(one) for one in [*installed(root), *wheels(root)]]
    text = "\n\n".join(parts) + "\n"
    cited = [name for name in COMMON if re.search(rf"\b{re.escape(name)}\b", text)]
    if cited:
        where = "".join(f"\n  /usr/share/common-licenses/{name}" for name in cited)
        header, rest = text.split("\n\n", 1)
        text = f"{header}\nComment:\n On Debian systems these texts are at{where}\n\n{rest}"
    sys.stdout.write(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

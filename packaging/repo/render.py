#!/usr/bin/python3
"""Fills the templates beside it: the source lists, the installer and the landing page.

    render.py sources URL SUITE
        the text of tljh.sources for one suite, on stdout: what the installer writes and
        what the package tljh-archive-keyring of that suite ships, byte for byte
    render.py site REPOSITORY WORK URL KEY SUITE...
        tljh-SUITE.sources, tljh.sources (the newest suite), install.sh and index.html in
        WORK, from the indexes of REPOSITORY and WORK/tljh-archive-keyring.gpg

A template names its values as @NAME@. A name without a value is an error.
SOURCE_DATE_EPOCH sets the date of the page (default: now).
"""

import base64
import functools
import hashlib
import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# In the order of their releases, which their names do not tell.
SUITE_NAMES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
URL = re.compile(r"https?://[A-Za-z0-9.\-_~:/%\[\]@]+")
PLACE = re.compile(r"@([A-Z][A-Z0-9_]*)@")


def fill(template, values, escape=str):
    """The text of a template; raises KeyError for a name without a value."""
    return PLACE.sub(lambda match: escape(values[match[1]]), (HERE / template).read_text())


def render_sources(url, suite):
    """deb822 source list for one suite."""
    return fill("tljh.sources.in", {"REPO_URL": url, "SUITE": suite})


def read_packages(index):
    """Paragraphs of a Packages file, as dictionaries."""
    paragraphs = []
    for text in index.read_text().strip().split("\n\n"):
        fields = re.findall(r"^([A-Za-z0-9-]+): *(.*)$", text, re.MULTILINE)
        if fields:
            paragraphs.append(dict(fields))
    return paragraphs


def compare_versions(left, right):
    """Negative, zero or positive, by dpkg's order."""
    if left == right:
        return 0
    older = subprocess.run(["dpkg", "--compare-versions", left, "lt", right]).returncode == 0
    return -1 if older else 1


def newest_release(packages):
    """Newest version of `tljh` and the packages that carry it, or None without one."""
    versions = {p["Version"] for p in packages if p["Package"] == "tljh"}
    if not versions:
        return None
    version = max(versions, key=functools.cmp_to_key(compare_versions))
    return version, [p for p in packages if p["Version"] == version]


def upstream_version(version):
    """A package version without the mark of its suite: 0.1.0 for 0.1.0+deb13."""
    return re.sub(r"\+deb\d+$", "", version)


def read_architectures(repository, suites):
    """Every architecture that the signed lists of these suites name."""
    lists = [(repository / "dists" / suite / "Release").read_text() for suite in suites]
    named = [re.search(r"^Architectures: (.*)$", text, re.MULTILINE)[1].split() for text in lists]
    return sorted({architecture for names in named for architecture in names})


def megabytes(size):
    """Decimal megabytes of a number of bytes, as Debian's tools print them."""
    return f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{max(size / 1e6, 0.1):.1f} MB"


def render_bills(repository, packages):
    """Links to the bills of materials of these packages; empty where there is none."""
    links = []
    for package in packages:
        bill = "sbom" + package["Filename"].removeprefix("pool").removesuffix(".deb") + ".cdx.json"
        if (repository / bill).exists():
            links.append(f'<a href="{html.escape(bill)}">{html.escape(package["Package"])}</a>')
    return ", ".join(links)


def render_releases(repository, suites):
    """The newest version, and for each suite table rows with its sizes and a paragraph with its bills of materials."""
    newest, rows, bills = None, [], []
    for suite in suites:
        index = repository / "dists" / suite / "main" / "binary-amd64" / "Packages"
        release = newest_release(read_packages(index))
        if release is None:
            continue
        newest, packages = release
        cells = [
            html.escape(newest),
            megabytes(sum(int(p["Size"]) for p in packages)),
            megabytes(sum(1024 * int(p.get("Installed-Size", 0)) for p in packages)),
        ]
        heading = html.escape(f"{SUITE_NAMES[suite]} ({suite})")
        rows.append(f'<tr><th scope="row">{heading}</th>' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
        if links := render_bills(repository, packages):
            bills.append(f'<p class="note">Bills of materials (CycloneDX) for {heading}: {links}.</p>')
    if newest is None:
        raise ValueError("no package `tljh` in the repository")
    return newest, "\n".join(rows), "\n".join(bills)


def content_hash(page, element):
    """Content-Security-Policy source of the only inline script or style of the page."""
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def render_page(url, key, keyring_hash, release, suites):
    """The landing page, with a policy that allows its own style and script alone."""
    newest, rows, bills = release
    published = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    values = {
        "REPO_URL": url,
        "VERSION": upstream_version(newest),
        "DATE": f"{published.tm_mday} {time.strftime('%B %Y', published)}",
        "DATE_ISO": time.strftime("%Y-%m-%d", published),
        "SUITES": " or ".join(f"{SUITE_NAMES[s]} ({s})" for s in suites),
        "FINGERPRINT": " ".join(key[i : i + 4] for i in range(0, len(key), 4)),
        "KEYRING_SHA256": keyring_hash,
        "SIZES": "\0",
        "STYLE_HASH": "\1",
        "SCRIPT_HASH": "\2",
        "BILLS": "\3",
    }
    page = fill("index.html.in", values, html.escape)
    return (
        page.replace("\0", rows)
        .replace("\1", content_hash(page, "style"))
        .replace("\2", content_hash(page, "script"))
        .replace("\3", bills)
    )


def render_site(repository, work, url, key, suites):
    unknown = [suite for suite in suites if suite not in SUITE_NAMES]
    if unknown:
        raise ValueError(f"unknown suite `{unknown[0]}`: add it to SUITE_NAMES of render.py")
    suites = [suite for suite in SUITE_NAMES if suite in suites]
    keyring_hash = hashlib.sha256((work / "tljh-archive-keyring.gpg").read_bytes()).hexdigest()
    release = render_releases(repository, suites)
    for suite in suites:
        (work / f"tljh-{suite}.sources").write_text(render_sources(url, suite))
    (work / "tljh.sources").write_text(render_sources(url, suites[-1]))
    installer = {
        "REPO_URL": url,
        "SUITES": " ".join(suites),
        "ARCHITECTURES": " ".join(read_architectures(repository, suites)),
        "SUPPORTED": ", ".join(f"{SUITE_NAMES[s]} ({s})" for s in suites),
        "KEYRING_SHA256": keyring_hash,
        "SOURCES": render_sources(url, "$suite").rstrip("\n"),
    }
    (work / "install.sh").write_text(fill("install.sh.in", installer))
    (work / "index.html").write_text(render_page(url, key, keyring_hash, release, suites))


def main(arguments):
    match arguments:
        case ["sources", url, suite] if URL.fullmatch(url) and suite in SUITE_NAMES:
            sys.stdout.write(render_sources(url.rstrip("/"), suite))
        case ["site", repository, work, url, key, *suites] if URL.fullmatch(url) and suites:
            try:
                render_site(Path(repository), Path(work), url, key, suites)
            except ValueError as error:
                print(f"error: {error}", file=sys.stderr)
                return 1
        case _:
            print("usage: render.py sources URL SUITE", file=sys.stderr)
            print("       render.py site REPOSITORY WORK URL KEY SUITE...", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Sizes of the packages, to download and on disk."""

from .figures import print_heading, print_rows


def measure(suite, repository):
    """A table; no peer: what another installer fetches changes from day to day."""
    print_heading(f"Sizes of the packages for {suite}")
    newest = {stanza["Package"]: stanza for stanza in repository.packages(suite)}
    rows = [
        (name, int(stanza["Size"]) / 1e6, int(stanza.get("Installed-Size", 0)) * 1024 / 1e6)
        for name, stanza in sorted(newest.items())
    ]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    print_rows(("MB", "package", "unpacked"), [(name, f"{size:.1f}", f"{disk:.1f}") for name, size, disk in rows])
    return []

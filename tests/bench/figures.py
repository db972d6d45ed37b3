"""Tables, and the last one: figure, ours, peer or target, ratio, met."""

import os
from collections import namedtuple
from statistics import median

Figure = namedtuple("Figure", "name ours peer ratio met")


def spread(values, unit="s"):
    """The least and the median of several runs, as text."""
    return f"{min(values):.1f} / {median(values):.1f} {unit}"


def against_target(name, value, target, unit):
    """A figure that is to be at most `target`."""
    met = "yes" if value <= target else "no"
    return Figure(name, f"{value:.1f} {unit}", f"<= {target:g} {unit}", f"{value / target:.2f}", met)


def against_peer(name, value, peer, unit, peer_name, limit=None, digits=1, ratio=None):
    """A figure beside a peer's; `limit` is the ratio that it is to stay at or below. `ratio` where it is known better."""
    return beside(name, value, peer, unit, peer_name, ("<=", limit), digits, ratio)


def at_least(name, value, peer, unit, peer_name, least=None, digits=1, ratio=None):
    """A figure beside a peer's; `least` is the ratio that it is to reach. `ratio` where it is known better."""
    return beside(name, value, peer, unit, peer_name, (">=", least), digits, ratio)


def beside(name, value, peer, unit, peer_name, bound, digits, ratio):
    sign, wanted = bound
    ratio = ratio or value / peer
    shown = f"{peer_name}: {peer:.{digits}f} {unit}"
    met = "-"
    if wanted is not None:
        shown += f", {sign} {wanted:g} x"
        met = "yes" if (ratio <= wanted if sign == "<=" else ratio >= wanted) else "no"
    return Figure(name, f"{value:.{digits}f} {unit}", shown, f"{ratio:.2f}", met)


def missing(name, error):
    """A figure that could not be had, and why."""
    lines = str(error).strip().splitlines() or [""]
    return Figure(name, "none", f"{type(error).__name__}: {lines[-1][:90]}", "-", "-")


def print_heading(text):
    print(f"\n## {text}\n", flush=True)


def print_rows(head, rows):
    """A table for people and for Markdown: the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    for row in (cells[0], rule, *cells[1:]):
        line = (f"{c:<{w}}" if n == 0 else f"{c:>{w}}" for n, (c, w) in enumerate(zip(row, widths)))
        print("| " + " | ".join(line) + " |", flush=True)


def load():
    """How busy the machine was in the last minute, for the reader who wonders about a figure."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"

"""Whether two files are the same to the bit, and if not, what diffoscope says of them."""

import filecmp
import subprocess

LONGEST = 200


def difference(first, second):
    """Empty for files of the same content, else diffoscope's words."""
    if filecmp.cmp(first, second, shallow=False):
        return ""
    told = subprocess.run(
        ["diffoscope", "--text", "-", "--no-progress", "--max-text-report-size", "0", "--exclude-directory-metadata=yes",
         first, second], capture_output=True, text=True, errors="replace")
    if told.returncode not in (0, 1):
        raise RuntimeError(f"diffoscope {first} {second}: {told.stderr[-2000:]}")
    # Compression and padding it may not tell apart; cmp does.
    return told.stdout or subprocess.run(["cmp", first, second], capture_output=True, text=True).stdout


def shorten(text):
    lines = text.splitlines()
    return "\n".join(lines[:LONGEST] + ([f"... {len(lines) - LONGEST} more lines"] if len(lines) > LONGEST else []))

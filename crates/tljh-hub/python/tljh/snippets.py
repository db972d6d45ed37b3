"""The snippets that the hub loads after its configuration, and what happens when one of them fails."""

import glob
import json
import os

TLJH_HUB = "/usr/bin/tljh-hub"
#: More is of no use on a page or in a journal's line.
LONGEST_REASON = 500


class SnippetError(Exception):
    """The snippet ``path`` could not be loaded; ``what`` names the line and the mistake."""

    def __init__(self, path, cause):
        self.path, self.what = path, describe(path, cause)
        super().__init__(f"snippet `{path}`: {self.what}")


def snippets_of(folder):
    """The snippets of a folder in the order in which they are loaded."""
    return sorted(glob.glob(os.path.join(glob.escape(folder), "*.py")))


def load_snippets(folder, load_subconfig):
    """Load each snippet; what one that fails has set by then is dropped, as traitlets merges at the end."""
    for path in snippets_of(folder):
        try:
            # traitlets passes over a file that it does not find, such as the target of a broken link.
            os.stat(path)
            load_subconfig(path)
        # A snippet may raise anything, and end the program too.
        except (Exception, SystemExit) as error:
            raise SnippetError(path, error) from error


def describe(path, error):
    """What is wrong with the snippet at ``path``, on one line."""
    if isinstance(error, OSError) and error.filename == path:
        return f"cannot be read: {error.strerror}"
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"line {error.lineno}: {error.msg}"
    line, trace = None, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f"line {line} " if line else ""
    return " ".join(f"{where}fails: {type(error).__name__}: {error}".split())


def start_over(error):
    """Become ``tljh-hub run`` once more, which chooses what worked last.

    Returns where no hub is being started, or where this one runs on what worked last already.
    """
    running = os.environ.get("TLJH_RUNNING")
    if not running:
        return
    with open(running) as told:
        if json.load(told)["fallback"]:
            return
    reason = error.what.replace("\0", "").encode(errors="backslashreplace").decode()[:LONGEST_REASON]
    os.execv(TLJH_HUB, [TLJH_HUB, "run", f"--refused={error.path}", f"--reason={reason}"])

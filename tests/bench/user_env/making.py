"""the default environment, check and rollback.

`ensure` ends with everything on disk. `check` looks at an environment that is sound and byte-compiled, and that was
looked at before. `rollback` goes to and fro between the first generation and one that is the same.
"""

from statistics import median

from ..config import processor_time
from ..figures import against_target, print_rows, spread

ROUNDS = 3
LOOKS = 7


def measure(installation):
    made = []
    for _ in range(ROUNDS):
        installation.remove()
        made.append(installation.run("ensure")[0])
    installation.run("compile")
    installation.run("check")
    used = processor_time()
    looks = [installation.run("check")[0] * 1000 for _ in range(LOOKS)]
    used = (processor_time() - used) * 1000 / LOOKS
    installation.run("repair", "--fresh")
    number = 2
    back = []
    for _ in range(ROUNDS * 2):
        number = 3 - number
        took, steps = installation.run("rollback", str(number))
        # A service does this meanwhile on a machine.
        back.append(took - steps.get("keeping a copy of it", 0))
    print_rows(("seconds", "least / median"), [
        ("default environment from the bundle", spread(made)),
        ("check", spread(looks, "ms")),
        ("check, processor", f"{used:.1f} ms"),
        ("rollback", spread(back)),
    ])
    return [
        against_target("default user environment from the bundle", median(made), 2, "s"),
        against_target("rollback of the user environment", median(back), 1, "s"),
        against_target("check of a sound user environment", median(looks), 300, "ms"),
    ]

"""What tests say to a machine, whatever kind it is."""

from .places import wait_for

# Seconds until a machine has booted.
BOOT = 90

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
}


class CommandFailed(AssertionError):
    """A command in a machine did not end with 0."""


class Commands:
    """A kind of machine has a `name`, and `execute(words, input, timeout)`, which runs a program inside as root and
    returns its subprocess.CompletedProcess."""

    @staticmethod
    def words(command, user=None, environment=None):
        """The argument list, inside, that runs `command` (shell text or a list)."""
        if isinstance(command, str):
            command = ["/bin/bash", "-c", command]
        pairs = {**ENVIRONMENT, **(environment or {})}
        inside = ["env", "-i", *(f"{key}={value}" for key, value in pairs.items()), *command]
        return ["runuser", "-u", user, "--", *inside] if user else inside

    def run(self, command, user=None, check=True, input=None, timeout=300, environment=None):
        """Run `command` as root or `user`; CommandFailed with its output unless it ends with 0."""
        done = self.execute(self.words(command, user, environment), input, timeout)
        if check and done.returncode != 0:
            raise CommandFailed(
                f"{self.name}: `{command}` ended with {done.returncode}\n"
                f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            )
        return done

    def output(self, command, **options):
        return self.run(command, **options).stdout.strip()

    def write(self, path, content, mode=0o644):
        self.run(["sh", "-c", 'cat > "$1" && chmod "$2" "$1"', "-", path, f"{mode:o}"], input=content)

    def journal(self, *options):
        return self.run(["journalctl", "--no-pager", "-o", "short-precise", *options], check=False).stdout

    def wait_for(self, command, deadline=30.0):
        """Wait until `command` ends with 0 inside."""
        return wait_for(lambda: self.run(command, check=False).returncode == 0, deadline, command, 0.2)

    def wait_booted(self, deadline=BOOT):
        wait_for(
            lambda: self.run("systemctl is-system-running", check=False).stdout.strip()
            in ("running", "degraded"),
            deadline, f"boot of {self.name}",
        )

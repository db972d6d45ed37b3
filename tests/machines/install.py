"""What a teacher types to install, and what they then see."""

import urllib.error
import urllib.request

from .places import wait_for

KEYRING = "/usr/share/keyrings/tljh-archive-keyring.gpg"
SOURCES = "/etc/apt/sources.list.d/tljh.sources"
PASSWORD_FILE = "/etc/tljh/initial-admin-password"


def add_repository(machine):
    """The manual steps of the landing page, up to `apt update`."""
    url = machine.repository.url
    machine.run(f"curl -fsS --create-dirs -o {KEYRING} {url}/tljh-archive-keyring.gpg")
    machine.run(f"curl -fsS -o {SOURCES} {url}/tljh-{machine.suite}.sources")
    return machine.run("apt-get -q update")


def install(machine, packages="tljh", check=True):
    """`apt install`, unattended; returns what it printed."""
    done = machine.run(f"apt-get -q -y install {packages}", check=check, timeout=600)
    return done


def http_status(url, timeout=5):
    """The status that `url` answers, or None when nothing does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def wait_for_login_page(machine, url=None, deadline=60):
    """The login page's address, once it is served."""
    page = (url or machine.url) + "hub/login"
    wait_for(lambda: http_status(page) == 200, deadline, f"{page} answers 200", 0.2)
    return page


def read_admin_password(machine):
    """The password that an unattended installation made for the admin `admin`."""
    return machine.output(f"cat {PASSWORD_FILE}").split()[-1]

"""What people do in the hub's pages and in JupyterLab, with a real browser."""

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

TERMINAL = ".jp-Terminal .xterm-helper-textarea"


def log_in(browser, url, name, password):
    """Fill the login form; returns once the hub has taken or refused it."""
    browser.open(url + "hub/login")
    browser.fill("#username_input", name)
    browser.fill("#password_input", password)
    form = browser.find("#login_submit")
    form.click()


def wait_for_lab(browser, deadline=60):
    """JupyterLab's launcher, from the page that waits for the server."""
    browser.find(".jp-Launcher", deadline=deadline)


def add_students(browser, url, names):
    """As an admin: the hub's admin page, `Add Users`."""
    browser.open(url + "hub/admin")
    browser.click(".add-users-button")
    browser.fill("textarea", "\n".join(names))
    browser.click("button", "Add Users")
    for name in names:
        browser.find("td", name)


def open_terminal(browser):
    browser.click(".jp-LauncherCard", "Terminal")
    browser.find(".jp-Terminal .xterm")


def type_in_terminal(browser, line):
    browser.type_line(TERMINAL, line)


def open_notebook(browser, url, name, notebook):
    """Open it in JupyterLab and wait until its kernel can be used."""
    browser.open(f"{url}user/{name}/lab/tree/{notebook}")
    browser.find(".jp-Notebook .jp-CodeCell", deadline=60)
    browser.find("#jp-main-statusbar", "| Idle", deadline=60)


def run_all_cells(browser):
    browser.click(".lm-MenuBar-itemLabel", "Run")
    browser.click("[data-command='runmenu:run-all']")


def run_last_cell(browser):
    """Click into the last cell and press Shift+Enter."""
    browser.driver.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-CodeCell .cm-content")[-1].click()
    browser.chord(Keys.SHIFT, Keys.ENTER)


def outputs(browser):
    """The text of every output, and the widths of the pictures that have arrived."""
    pictures = browser.script(
        "return [...document.querySelectorAll('.jp-OutputArea-output img')]"
        ".filter(image => image.complete).map(image => image.naturalWidth)"
    )
    return browser.texts(".jp-OutputArea-output"), pictures

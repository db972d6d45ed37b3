"""The landing page in Chromium: on a phone and a desk, in light and dark, without a script."""

import hashlib
import re
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.machines.browser import Browser
from tests.machines.places import wait_for
from tests.machines.repository import Repository

COMMAND = "curl -fsSL http://packages.tljh.test/install.sh | sudo bash"

# Least contrast of any visible text with what is behind it, by WCAG 2's formula.
LEAST_CONTRAST = """
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const parse = text => text.match(/[\\d.]+/g).map(Number);
const behind = e => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c;
  }
  throw new Error("no opaque background");
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let least = [99, ""];
for (let node; (node = walker.nextNode());) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility() || element.tagName === "SCRIPT") continue;
  const [a, b] = [parse(getComputedStyle(element).color), behind(element)].map(luminance).sort((x, y) => y - x);
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < least[0]) least = [contrast, node.data.trim()];
}
return least;
"""


@pytest.fixture(scope="module")
def browser():
    with Browser("landing") as opened:
        yield opened


@pytest.fixture(scope="module")
def server(published):
    """One for all tests, because the browser keeps its connections."""
    repository = Repository(published.apt)
    yield repository
    repository.close()


@pytest.fixture
def page(browser, server):
    """The page at an address of plain http, which is no secure context."""
    server.requests.clear()
    yield server
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.fixture(scope="module")
def local(published, browser):
    """The address of the same page on the browser's localhost, which is a secure context."""
    handler = partial(SimpleHTTPRequestHandler, directory=published.apt)
    quiet = browser.wire.call(lambda: ThreadingHTTPServer(("127.0.0.1", 0), handler))
    threading.Thread(target=quiet.serve_forever, daemon=True).start()
    yield f"http://localhost:{quiet.server_port}/"
    quiet.shutdown()
    quiet.server_close()


def show(browser, page, width=1280, scheme="light", address=None):
    send = browser.driver.execute_cdp_cmd
    send("Network.enable", {})
    send("Network.setCacheDisabled", {"cacheDisabled": True})
    send("Emulation.setDeviceMetricsOverride",
         {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600})
    send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.open(address or f"http://{page.address}:{page.port}/")


def paste(browser):
    """What the clipboard holds, as a person sees it: pasted into a text area."""
    browser.script("const area = document.createElement('textarea'); area.id = 'paste'; document.body.append(area);")
    area = browser.driver.find_element(By.ID, "paste")
    area.send_keys(Keys.CONTROL, "v")
    return wait_for(lambda: area.get_property("value"), 10, "pasted text")


@pytest.mark.parametrize("copied, label, lines", [("install", "Copy", 1), ("steps", "Copy the four lines", 4)])
@pytest.mark.parametrize("secure", [False, True])
def test_copy_button_puts_the_command_on_the_clipboard(browser, page, local, secure, copied, label, lines):
    show(browser, page, address=local if secure else None)
    assert browser.script("return isSecureContext") == secure
    expected = browser.driver.find_element(By.ID, copied).get_property("textContent").rstrip("\n")
    button = browser.driver.find_element(By.CSS_SELECTOR, f"[data-copy={copied}]")
    assert button.text == label
    button.click()
    wait_for(lambda: button.text == "Copied", 10, "the button's answer")
    assert browser.driver.find_element(By.ID, "copied").get_property("textContent") == "Copied to the clipboard"
    pasted = paste(browser)
    assert pasted == expected
    assert len(pasted.splitlines()) == lines
    if copied == "install":
        assert pasted == COMMAND


def test_page_loads_nothing_but_itself(browser, page):
    show(browser, page)
    assert browser.script("return performance.getEntriesByType('resource').length") == 0
    assert {request.path for request in page.requests} == {"/"}
    source = browser.driver.page_source
    assert not re.search(r"<(?:link|script|img|iframe)[^>]+(?:src|href)=\"(?!data:)", source)


def test_policy_forbids_a_foreign_script(browser, page):
    show(browser, page)
    browser.script("const s = document.createElement('script'); s.src = '/foreign.js'; document.body.append(s);"
                   "const t = document.createElement('script'); t.text = 'window.foreign = 1'; document.body.append(t);")
    assert browser.script("return window.foreign") is None
    assert "/foreign.js" not in {request.path for request in page.requests}


@pytest.mark.parametrize("width", [320, 360, 390, 768, 1280])
def test_nothing_scrolls_sideways(browser, page, width):
    show(browser, page, width)
    overflow = "const e = document.documentElement; return e.scrollWidth - e.clientWidth"
    assert browser.script("return innerWidth") == width
    assert browser.script(overflow) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_text_is_readable(browser, page, width, scheme):
    show(browser, page, width, scheme)
    contrast, text = browser.script(LEAST_CONTRAST)
    browser.screenshot(f"{width}-{scheme}")
    assert contrast >= 4.5, f"`{text}` has a contrast of {contrast:.2f}"


def test_keyboard_reaches_content_button_and_links_in_order(browser, page):
    show(browser, page)
    reached = []
    for _ in range(4):
        browser.press(Keys.TAB)
        reached.append(browser.script("const e = document.activeElement; return e.dataset.copy || e.getAttribute('href')"))
        outline = browser.script("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
    assert reached == ["#main", "install", "install.sh", "#by-hand"]


def test_landmarks_headings_and_language_are_there(browser, page):
    show(browser, page)
    for landmark in ("header", "main", "footer"):
        assert len(browser.driver.find_elements(By.TAG_NAME, landmark)) == 1
    assert browser.driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
    assert len(browser.driver.find_elements(By.TAG_NAME, "h1")) == 1
    for section in browser.driver.find_elements(By.TAG_NAME, "section"):
        assert section.accessible_name


def test_without_a_script_the_command_is_there_and_no_dead_button(browser, page):
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    show(browser, page)
    assert browser.driver.find_element(By.ID, "install").text == COMMAND
    assert not any(b.is_displayed() for b in browser.driver.find_elements(By.TAG_NAME, "button"))


def test_page_names_the_newest_version_the_date_and_the_key(published):
    published.build(SOURCE_DATE_EPOCH="1767225600")
    page = (published.apt / "index.html").read_text()
    assert "Version 0.2.0, " in page
    assert '<time datetime="2026-01-01">1 January 2026</time>' in page
    keyring = (published.apt / "tljh-archive-keyring.gpg").read_bytes()
    assert hashlib.sha256(keyring).hexdigest() in page
    assert published.fingerprint() in page.replace(" ", "")
    assert not re.search(r"@[A-Z_]+@|[\0\1\2]", page)


def test_heading_has_the_version_and_the_table_that_of_each_suite(workshop):
    workshop.make_deb("bookworm", "tljh", "0.1.0+deb12")
    workshop.make_deb("trixie", "tljh", "0.1.0+deb13")
    workshop.build()
    page = (workshop.apt / "index.html").read_text()
    assert "Version 0.1.0, " in page
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', page)
    assert rows == [("Debian 12 (bookworm)", "0.1.0+deb12"), ("Debian 13 (trixie)", "0.1.0+deb13")]


def test_installer_passes_shellcheck(published):
    done = subprocess.run(["shellcheck", "-s", "sh", published.apt / "install.sh"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

"""Real Chromium, headless, as a person's browser on another host; screenshots go to `dist/screens`."""

import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from . import slots
from .network import BrowserWire
from .places import DIST, wait_for

# A terminal of JupyterLab draws by WebGL where it can, for which a machine without a graphics card takes half a processor.
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-3d-apis --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --no-proxy-server "
    "--disable-dev-shm-usage --window-size=1280,900 --lang=en-US --remote-debugging-pipe"
).split()


class Browser:
    """One browser with an empty profile and perhaps more `flags`; leave the `with` block to close it."""

    def __init__(self, title="page", flags=()):
        self.title = title
        self.shots = 0
        self.profile = tempfile.TemporaryDirectory(prefix="tljh-chromium-")
        self.slot = slots.take()
        self.wire = BrowserWire(self.slot.index)
        self.wire.up()
        start = Path(self.profile.name) / "start"
        start.write_text(f'#!/bin/sh\nexec nsenter --net={self.wire.path} /usr/bin/chromium "$@"\n')
        start.chmod(0o700)
        options = Options()
        options.binary_location = str(start)
        for flag in (*FLAGS, *flags):
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={self.profile.name}/profile")
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options
        )
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(60)

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        try:
            if kind:
                self.screenshot("failure")
                console = [entry["message"] for entry in self.driver.get_log("browser")]
                print("the browser's console:", *console[-30:], sep="\n")
        finally:
            self.close()

    def close(self):
        try:
            self.driver.quit()
        finally:
            self.slot.clean()
            self.profile.cleanup()

    def open(self, url):
        self.driver.get(url)

    @property
    def address(self):
        return self.driver.current_url

    def screenshot(self, name):
        """Save `dist/screens/<title>-NN-<name>.png`, NN counting up in this browser."""
        self.shots += 1
        target = DIST / "screens" / f"{self.title}-{self.shots:02}-{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(target))
        return target

    def find(self, css, text=None, deadline=30):
        """The first visible element for `css` (whose text contains `text`), waited for."""

        def look():
            for element in self.driver.find_elements(By.CSS_SELECTOR, css):
                if element.is_displayed() and (text is None or text in element.text):
                    return element
            return None

        return wait_for(look, deadline, f"`{css}` {text or ''} on {self.address}", 0.2)

    def texts(self, css):
        return [e.text for e in self.driver.find_elements(By.CSS_SELECTOR, css)]

    def click(self, css, text=None, deadline=30):
        """Click it; tried again while the page is still moving under the pointer."""

        def press():
            self.find(css, text, 0).click()
            return True

        wait_for(press, deadline, f"click on `{css}` {text or ''}", 0.2)

    def fill(self, css, value):
        field = self.find(css)
        field.clear()
        field.send_keys(value)

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier, key):
        webdriver.ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def type_line(self, css, line):
        """Type `line` and Enter into the element, as into a terminal."""
        field = wait_for(
            lambda: self.driver.find_elements(By.CSS_SELECTOR, css), 30, f"`{css}`"
        )[-1]
        for character in line:
            field.send_keys(character)
            time.sleep(0.005)  # xterm.js drops keys that arrive within one event
        field.send_keys(Keys.ENTER)

    def script(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

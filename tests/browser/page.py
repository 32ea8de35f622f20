"""A browser with the dashboard in it: Debian's chromium, driven by selenium. It loads nothing but
that page.

Every wait has an end; what it waits for is told when it doesn't come.
"""

import os
import shutil
import tempfile
import time

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select
except ImportError:
    webdriver = None

WAIT_S = 60.0
DESKTOP, PHONE = (1280, 800), (390, 844)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
         "--no-proxy-server", "--mute-audio", "--hide-scrollbars")

# Rows of a table by its element's id, each a list of what its cells say.
ROWS = """
const rows = document.querySelectorAll(arguments[0] + " tbody tr");
return [...rows].map((row) => [...row.children].map((cell) => cell.textContent));
"""
TEXT = "return document.querySelector(arguments[0])?.textContent ?? null"
TEXTS = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
INTO_VIEW = "arguments[0].scrollIntoView({block: 'center'})"
WIDTHS = "return [document.documentElement.scrollWidth, window.innerWidth]"


class settings:
    """What run.py was asked for."""
    screenshots = None


def missing():
    """Why there is no browser, or None."""
    if webdriver is None:
        return "python3-selenium isn't installed"
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return program + " isn't installed"
    return None


def wait_until(what, holds, seconds=WAIT_S):
    """The first true value of holds()."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("after %d s still not: %s" % (seconds, what))
        time.sleep(0.1)


class Page:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="browser-")
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument("--user-data-dir=" + self.folder.name)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        try:
            self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")),
                                           options=options)
        except Exception:
            self.folder.cleanup()
            raise
        self.driver.set_page_load_timeout(WAIT_S)
        self.driver.set_script_timeout(WAIT_S)
        self.look(DESKTOP, "light")

    def close(self):
        self.driver.quit()
        self.folder.cleanup()

    # -- how it is looked at ----------------------------------------------------------------------

    def look(self, size, scheme):
        """The window's size, and whether its owner likes it "dark" or "light"."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1,
            "mobile": size[0] < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def screenshot(self, name):
        if settings.screenshots:
            os.makedirs(settings.screenshots, exist_ok=True)
            self.driver.save_screenshot(os.path.join(settings.screenshots, name + ".png"))

    # -- going somewhere --------------------------------------------------------------------------

    def load(self, url):
        self.driver.get(url)

    def go(self, view):
        """A view by its hash: "clients", or "clients/NAME"."""
        self.driver.execute_script("location.hash = arguments[0]", view)
        title = view.split("/")[0].capitalize()
        title = {"Cpu": "CPU"}.get(title, title)
        wait_until("the view " + view, lambda: self.driver.title == title + " · millrace")

    # -- what it says -----------------------------------------------------------------------------

    def text(self, selector):
        return self.driver.execute_script(TEXT, selector)

    def rows(self, selector):
        return self.driver.execute_script(ROWS, selector)

    def texts(self, selector):
        return self.driver.execute_script(TEXTS, selector)

    def links(self, selector):
        """What the links in it say."""
        return self.texts(selector + " a")

    def row(self, selector, name):
        """The row whose first cell says `name`, or None."""
        return next((row for row in self.rows(selector) if row[0] == name), None)

    def tile(self, name):
        """(the large text, the small text)"""
        return (self.text("#tile-%s .big" % name), self.text("#tile-%s .small" % name))

    def number(self, text):
        """1234 of "1,234 in all"; None of what has no number."""
        digits = (text or "").split(" ")[0].replace(",", "")
        return int(digits) if digits.isdigit() else None

    def widths(self):
        """(of the content, of the window)"""
        return self.driver.execute_script(WIDTHS)

    def complaints(self):
        """What the browser found wrong: faults of scripts, what the policy forbade. A request that
        failed is the page's own business, which shows it."""
        return [line["message"] for line in self.driver.get_log("browser")
                if line["level"] == "SEVERE" and "Failed to load resource" not in line["message"]]

    # -- what its reader does ---------------------------------------------------------------------

    def find(self, selector):
        def there():
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return found[0] if found and found[0].is_displayed() else None
        return wait_until("%s is on the page" % selector, there)

    def click(self, selector):
        def done():
            try:
                element = self.find(selector)
                if not element.is_enabled():
                    return False
                # In the middle: not below the header, which stays on top.
                self.driver.execute_script(INTO_VIEW, element)
                element.click()
                return True
            except StaleElementReferenceException:
                return False
        wait_until("a click on " + selector, done)

    def type(self, selector, text):
        element = self.find(selector)
        element.clear()
        element.send_keys(text)

    def choose(self, selector, value):
        Select(self.find(selector)).select_by_value(value)

"""A real browser for the pages: reads steps as JSON lines, does them, answers with one JSON line each.

usage: browser.py ADDRESS CHROMIUM FOLDER
"""

import importlib.resources
import json
import pathlib
import sys

from playwright.sync_api import expect, sync_playwright

ADDRESS, CHROMIUM, FOLDER = sys.argv[1:]
AXE = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text()
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
LIVE = 60_000


class Steps:
    def __init__(self, page):
        self.page = page
        self.problems = []
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)

    def go(self, path):
        answer = self.page.goto(path if path.startswith("http") else ADDRESS + path)
        return answer.status

    def sign_in(self, name, password):
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def fill(self, label, value):
        self.page.get_by_label(label, exact=True).fill(value)

    def choose(self, name, value):
        self.page.locator(f"select[name={name}]").select_option(value)

    def check(self, label):
        self.page.get_by_label(label).check()

    def press(self, name):
        self.page.get_by_role("button", name=name).first.click()
        self.page.wait_for_load_state()

    def follow(self, name):
        self.page.get_by_role("link", name=name).first.click()
        self.page.wait_for_load_state()

    def follow_first(self, selector):
        self.page.locator(selector).first.click()
        self.page.wait_for_load_state()

    def sees(self, text):
        """Waits for the text; the page is not loaded again by us."""
        expect(self.page.locator("main")).to_contain_text(text, timeout=LIVE)

    def waits_for(self, selector):
        expect(self.page.locator(selector).first).to_be_visible(timeout=LIVE)

    def sees_not(self, text):
        expect(self.page.locator("main")).not_to_contain_text(text)

    def attribute(self, name):
        return self.page.evaluate("name => document.documentElement.getAttribute(name)", name)

    def keyboard(self, count):
        """What has the focus after so many steps of the tab key."""
        return [self.page.keyboard.press("Tab") or self.page.evaluate("document.activeElement.innerText || document.activeElement.name") for _ in range(count)]

    def axe(self):
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        bad = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
        return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in bad]

    def wide(self):
        """True where a person has to scroll sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def shot(self, name, size="desktop", dark=False):
        width, height = SIZES[size]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.screenshot(path=str(pathlib.Path(FOLDER) / f"{name}.png"))

    def trouble(self):
        found, self.problems = self.problems, []
        return found


def main():
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="en-US", timezone_id="UTC", viewport={"width": 1280, "height": 900})
        steps = Steps(context.new_page())
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            try:
                answer = {"ok": getattr(steps, name)(*arguments)}
            except Exception as error:  # told to the test, which ends by it
                where = f"at {steps.page.url}:\n{steps.page.locator('body').inner_text()[:3000]}"
                answer = {"error": f"{error}\n{where}"}
            print(json.dumps(answer), flush=True)
        browser.close()


main()

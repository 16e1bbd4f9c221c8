"""Temporal's own web UI, as the page where a person finds a campaign, reads it and holds it by hand."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    JavascriptException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

COMMANDS = Path(sys.executable).parent
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NEEDED = {"Chromium": ("chromium", "chromium-browser"), "its driver": ("chromedriver",)}
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,960",
)
POLICY = """\
apiVersion: steadfleet.dev/v1
kind: PatchPolicy
metadata:
  name: web-2
  labels: {ticket: OPS-214}
spec:
  fleet: {name: web, selector: {groups: [web]}}
  image: {family: web, version: 2.0.0}
  strategy: {type: canary, canary: {steps: [1, 25%, 100%]}}
  disruptionBudget: {overall: 25%, perZone: 25%}
  failureTolerance: {hosts: 25%}
  healthChecks:
    interval: 1s
    timeout: 5s
    successThreshold: 2
    deadline: 60s
    checks: [{type: http, port: 8080, path: /healthz}]
  bake: {first: 2s, time: 2h, interval: 1s}
  approval: {required: false}
"""
# In one look: the page draws the frame of the details anew while one reads it.
READ_DETAILS = """
const page = document.getElementById("user-metadata-current-details")?.contentDocument?.body;
const words = (element) => element.innerText.replaceAll("\\u00a0", " ").trim();
return page && [words(page), [...page.querySelectorAll("tbody tr")].map((row) => [...row.cells].map(words))];
"""
WITHIN = 120.0


class Stack:
    """An engine with its web UI, a local cloud with a fleet of 12, and a worker."""

    def __init__(self, folder: Path) -> None:
        foreign = ("TEMPORAL_", "AWS_", "STEADFLEET_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.folder = folder

    def run(self, command: str, *words: str) -> str:
        ran = subprocess.run(
            [COMMANDS / command, *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN,
        )
        assert ran.returncode == 0, f"{command} {' '.join(words)}: {ran.stdout}{ran.stderr}"
        return ran.stdout.strip()

    def up(self) -> None:
        told = json.loads(
            self.run("steadfleet", "up", "--free-ports", "--run-dir", "run", "--output", "json")
        )
        self.env |= told["environment"]
        self.ui = told["ui"]
        old, _new = (self._register(version) for version in ("1.0", "2.0"))
        self.run("local-cloud", "fleet", "create", "web", "--image", old, "--size", "12")

    def down(self) -> None:
        self.run("steadfleet", "down", "--run-dir", "run")

    def start(self) -> None:
        (self.folder / "steadfleet.yaml").write_text(POLICY)
        self.run("campaign", "start", "canary", "--as", "ann", "--yes")

    def status(self) -> Any:
        return json.loads(self.run("campaign", "status", "--output", "json"))

    def wait_for(self, done: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + WITHIN
        while not done(status := self.status()):
            assert time.monotonic() < deadline, status
            time.sleep(0.2)
        return status

    def _register(self, version: str) -> str:
        tags = ("--tag", "steadfleet:family=web", "--tag", f"steadfleet:version={version}.0")
        content = str(EXAMPLES / "web" / f"good-{version}")
        return self.run("local-cloud", "image", "register", f"web-{version}", "--from", content, *tags)


class WebUi:
    """What a person does there: each step waits until the page shows what it is about."""

    def __init__(self, chrome: Chrome, address: str) -> None:
        self.chrome = chrome
        self.address = address

    def list_workflows(self) -> None:
        self.chrome.get(f"{self.address}/namespaces/default/workflows")

    def open(self, workflow: str) -> None:
        self._click(f"//a[normalize-space()='{workflow}']")
        self._shown(f"//*[@data-testid='workflow-id-heading'][contains(., '{workflow}')]")

    def reload(self) -> None:
        self.chrome.refresh()

    def details(self, containing: str) -> tuple[str, list[list[str]]]:
        """Return the text of the current details, and the cells of its table."""
        self._click("//*[@data-testid='user-metadata-tab']")

        def read(chrome: Chrome) -> Any:
            read = chrome.execute_script(READ_DETAILS)
            return read if read and containing in read[0] else None

        text, rows = self._wait_for(f"details with {containing!r}", read)
        return text, rows

    def send_signal(self, name: str, value: str = "") -> None:
        self._click("//button[contains(., 'More Actions')]")
        self._click("//*[@data-testid='signal-button']")
        self._click("//*[@data-testid='signal-select-button']")
        self._click(f"//dialog//*[@role='option'][.//span[normalize-space()='{name}']]")
        if value:
            self._shown("//dialog//*[@role='textbox']").send_keys(value)
            # The editor formats and grows when it is left, and what is below it moves.
            self._click("//dialog//input[@value='json/plain']")
        self._click("//dialog//button[@type='submit']")
        self._wait_for("the end of the dialog", lambda _: self._visible("//dialog") is None)

    def _click(self, path: str) -> None:
        """Click once it can be clicked: the page draws its parts anew while it loads."""

        def click(_chrome: Chrome) -> bool:
            element = self._visible(path)
            if element is None or not element.is_enabled():
                return False
            element.click()
            return True

        self._wait_for(path, click)

    def _shown(self, path: str) -> WebElement:
        element = self._wait_for(path, lambda _: self._visible(path))
        assert isinstance(element, WebElement)
        return element

    def _visible(self, path: str) -> WebElement | None:
        """Return the first that a person can see: the page keeps hidden twins of some."""
        return next((one for one in self.chrome.find_elements(By.XPATH, path) if one.is_displayed()), None)

    def _wait_for(self, what: str, look: Callable[[Chrome], Any]) -> Any:
        ignored = (StaleElementReferenceException, ElementClickInterceptedException, JavascriptException)
        waiting = WebDriverWait(self.chrome, WITHIN, ignored_exceptions=ignored)
        return waiting.until(look, f"not to be seen at {self.chrome.current_url}: {what}")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    needed_programs()
    stack = Stack(tmp_path)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture
def ui(stack: Stack, tmp_path: Path) -> Iterator[WebUi]:
    browser, driver = needed_programs()
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield WebUi(chrome, stack.ui)
    finally:
        chrome.quit()


def needed_programs() -> list[str]:
    """Return the browser and its driver; where a run is meant to be whole, their absence is a failure."""
    found = {what: next(filter(None, map(shutil.which, names)), "") for what, names in NEEDED.items()}
    missing = [f"{what} ({NEEDED[what][0]})" for what, path in found.items() if not path]
    if missing:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"missing: {' and '.join(missing)}; on Debian: apt-get install chromium chromium-driver")
    return list(found.values())


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_a_person_finds_a_campaign_reads_its_details_and_holds_it_by_hand(
    stack: Stack, ui: WebUi, tmp_path: Path
) -> None:
    stack.start()
    baking = stack.wait_for(lambda status: status["state"] == "baking" and status["waves"][1]["baking"])

    ui.list_workflows()
    ui.open("campaign/web-2")
    text, waves = ui.details(containing="web-2: baking")
    assert "OPS-214" in text
    assert [[int(cell) for cell in row[:4]] for row in waves] == counts(baking)
    assert counts(baking) == [[1, 1, 1, 0], [2, 2, 2, 0], [3, 9, 0, 0]]
    assert waves[0][-1] == "healthy"
    photograph(ui, "temporal-ui.png", tmp_path, *kept())

    ui.send_signal("pause")
    paused = stack.wait_for(lambda status: status["state"] == "paused")
    assert heard(paused) == [("pause", "unnamed (signal)", "")]
    ui.reload()
    text, _ = ui.details(containing="web-2: paused")
    assert "paused by unnamed (signal)" in text
    photograph(ui, "temporal-ui-paused.png", tmp_path)

    ui.send_signal("resume", '{"by": "bea", "reason": "looked at it"}')
    resumed = stack.wait_for(lambda status: status["state"] == "baking")
    assert heard(resumed)[1:] == [("resume", "bea", "looked at it")]


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_browser_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(
        outcome, match=r"Chromium \(chromium\) and its driver \(chromedriver\); on Debian: apt-get"
    ):
        needed_programs()


def counts(status: Any) -> list[list[int]]:
    """Return number, hosts, changed and failed of each wave, as `campaign status` has them."""
    counted = [(wave["number"], wave["counts"]) for wave in status["waves"]]
    return [[number, wave["total"], wave["changed"], wave["failed"]] for number, wave in counted]


def heard(status: Any) -> list[tuple[str, str, str]]:
    return [(receipt["verb"], receipt["by"], receipt["reason"]) for receipt in status["receipts"]]


def kept() -> list[Path]:
    """Return the folder where the picture for the README goes, if STEADFLEET_SCREENSHOTS names one."""
    folder = os.environ.get("STEADFLEET_SCREENSHOTS")
    return [Path(folder)] if folder else []


def photograph(ui: WebUi, name: str, *folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        assert ui.chrome.save_screenshot(str(folder / name))

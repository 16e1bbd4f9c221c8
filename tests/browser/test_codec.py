"""Temporal's own web UI shows encrypted payloads to readers who are signed in, and to nobody else."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser.test_temporal_ui import COMMANDS, FLAGS, WITHIN, needed_programs
from integration.codec_server.server import CodecServer, codec_server
from integration.durable.process import free_port
from integration.durable.telling import TASK_QUEUE, WaitsToGoOn
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait
from temporalio.testing import WorkflowEnvironment
from unit.codec_server.issuer import Issuer

from steadfleet_durable import connect

REFUSED = "Codec Server could not connect"
SECRET = "correct horse battery staple"
PAGE = (
    "return document.body.innerText + [...document.querySelectorAll('.cm-content')].map((e) => e.textContent)"
)
# What signing in by OIDC leaves in the browser, and the settings behind the button with the glasses.
# The development server offers no sign-in; the page is told that it does, or it forgets who is signed in.
SIGNED_IN = """
const [endpoint, token] = %s;
const kept = {
  AuthUser: {accessToken: token, idToken: token, name: "ann"},
  endpoint, passAccessToken: true, overrideRemoteCodecConfiguration: true,
};
for (const [name, value] of Object.entries(kept)) localStorage.setItem(name, JSON.stringify(value));
const fetched = window.fetch;
window.fetch = async (request, options) => {
  const answer = await fetched(request, options);
  if (!String(request?.url ?? request).includes("/api/v1/settings")) return answer;
  const settings = await answer.json();
  return Response.json({...settings, Auth: {...settings.Auth, Enabled: true}});
};
"""


@dataclass(frozen=True)
class Stage:
    """An engine's web UI with an encrypted workflow, and the codec server that it asks."""

    page: str
    codec: CodecServer
    issuer: Issuer


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    needed_programs()
    ui = f"http://127.0.0.1:{free_port()}"
    keys, issuer = keys_in(tmp_path), Issuer(tmp_path / "jwks.json")
    async with codec_server(tmp_path, issuer, keys, ui) as codec, engine(ui) as address:
        client = await connect(env={"TEMPORAL_ADDRESS": address, "STEADFLEET_PAYLOAD_KEYS": str(keys)})
        handle = await client.start_workflow(WaitsToGoOn.run, SECRET, id="waits", task_queue=TASK_QUEUE)
        yield Stage(f"{ui}/namespaces/default/workflows/waits/{handle.result_run_id}/history", codec, issuer)


@asynccontextmanager
async def engine(ui: str) -> AsyncIterator[str]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(COMMANDS / "temporal"),
        dev_server_log_level="error",
        ui=True,
        ui_port=int(ui.rpartition(":")[2]),
    ) as environment:
        yield environment.client.service_client.config.target_host


def keys_in(folder: Path) -> Path:
    file = folder / "payload-keys"
    file.write_text(f"2026-11 {base64.b64encode(b'k' * 32).decode()}\n")
    return file


@pytest.fixture
def chrome(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "chromium") as chrome:
        yield chrome


@contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """Open a browser that trusts servers whose authority is known to nobody but the test."""
    browser, driver = needed_programs()
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, "--ignore-certificate-errors", f"--user-data-dir={folder}"):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def shown(chrome: Chrome, stage: Stage, token: str, awaited: str) -> str:
    """Open the workflow's page with this token, and return its text when it shows what is awaited."""
    source = SIGNED_IN % json.dumps([stage.codec.url, token])
    added = chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    chrome.get(stage.page)
    chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    seen = ""

    def look(_: Chrome) -> bool:
        nonlocal seen
        seen = str(chrome.execute_script(PAGE))
        return awaited in seen

    WebDriverWait(chrome, WITHIN).until(look, f"{awaited!r} is not to be seen at {chrome.current_url}")
    return seen


@pytest.mark.browser
@pytest.mark.timeout(600)
async def test_the_web_ui_shows_a_payload_to_a_reader_and_not_to_others(stage: Stage, chrome: Chrome) -> None:
    assert SECRET in shown(chrome, stage, stage.issuer.token("default:read"), awaited=SECRET)
    for refused in (stage.issuer.token("staging:read"), stage.issuer.token("default:read", exp=1)):
        assert SECRET not in shown(chrome, stage, refused, awaited=REFUSED)

    _, logged = await stage.codec.left()
    told = [json.loads(line) for line in logged.splitlines()]
    assert {line["event"] for line in told} >= {"answered", "refused"}
    assert SECRET not in logged

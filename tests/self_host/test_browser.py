"""The web UI of the compose file, behind its proxy, in a real browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.test_codec import PAGE, SECRET, chromium
from browser.test_temporal_ui import WITHIN
from integration.durable.telling import TASK_QUEUE, WaitsToGoOn
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from self_host.composed import SelfHost

from steadfleet_durable import connect

pytestmark = [
    pytest.mark.composed,
    pytest.mark.self_host,
    pytest.mark.browser,
    pytest.mark.timeout(1800),
]


@pytest.fixture
def chrome(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "chromium") as chrome:
        yield chrome


async def test_a_viewer_reads_encrypted_payloads_and_a_stranger_sees_no_page(
    self_host: SelfHost, chrome: Chrome
) -> None:
    client = await connect(env=self_host.variables("operator"))
    handle = await client.start_workflow(WaitsToGoOn.run, SECRET, id="seen", task_queue=TASK_QUEUE)
    page = f"https://localhost:{self_host.proxy_port}/namespaces/steadfleet/workflows/seen"
    history = f"{page}/{handle.result_run_id}/history"

    chrome.get(history)
    assert chrome.execute_script(PAGE) == ""
    chrome.execute_cdp_cmd("Network.enable", {})
    chrome.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": self_host.password("viewer")})
    chrome.get(history)
    try:
        WebDriverWait(chrome, WITHIN).until(lambda _: SECRET in str(chrome.execute_script(PAGE)))
    finally:
        if folder := os.environ.get("STEADFLEET_SCREENSHOTS"):
            chrome.save_screenshot(f"{folder}/self-host-ui.png")
        await handle.terminate()

"""Words for what goes wrong, and links to the web UI."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from steadfleet_cli.engine import cause_of, ui_link


@dataclass
class FakeClient:
    """Says where it is connected."""

    address: str
    namespace: str = "prod"
    service_client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.service_client = SimpleNamespace(config=SimpleNamespace(target_host=self.address))


def link(address: str) -> str:
    return ui_link(cast("Client", FakeClient(address)), "campaign/web")


@pytest.fixture(autouse=True)
def no_ui(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEMPORAL_UI_URL", "STEADFLEET_UI_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_an_engine_on_this_machine_has_its_ui_here(host: str) -> None:
    assert link(f"{host}:7233") == "http://127.0.0.1:8233/namespaces/prod/workflows/campaign%2Fweb"


def test_the_ui_of_this_machine_can_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADFLEET_UI_URL", "http://127.0.0.1:9999/")

    assert link("localhost:7233").startswith("http://127.0.0.1:9999/namespaces/")


def test_a_stated_ui_counts_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_UI_URL", "https://ui.example")

    assert link("temporal.internal:7233").startswith("https://ui.example/namespaces/prod/")


def test_cloud_has_one_ui() -> None:
    assert link("prod.abc.tmprl.cloud:7233").startswith("https://cloud.temporal.io/namespaces/prod/")


def test_an_unknown_ui_gives_no_link() -> None:
    assert link("temporal.internal:7233") == ""


def test_the_words_of_the_failure_itself_are_told() -> None:
    cause = ApplicationError("group web does not exist", type="RefusedError")

    assert cause_of(WorkflowFailureError(cause=cause)) == "group web does not exist"

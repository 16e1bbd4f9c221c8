"""What the compose file brings up does its work, and outlives what happens to engines.

One fleet in a local cloud is changed twice. What was done to it is counted from the platform's own record.
"""

import json
import time
from pathlib import Path
from typing import Any

import demo
import pytest
from chaos.images.machine import missing
from self_host.commands import commands
from self_host.composed import SelfHost, until

pytestmark = [pytest.mark.composed, pytest.mark.self_host, pytest.mark.timeout(1800)]
EACH_ONCE = "changed 12 · failed 0 · restored 0 · touched twice 0 · left behind 0"


@pytest.fixture(scope="module")
def fleet(self_host: SelfHost) -> SelfHost:
    with self_host.guest("fleet") as making:
        said, _ = making.communicate(timeout=600)
    assert making.returncode == 0, said
    return self_host


class Launches:
    """Counts machines that are launched from now on."""

    def __init__(self, host: SelfHost) -> None:
        self._host = host
        self._known = {one["id"] for one in self._instances()}

    def reach(self, count: int) -> None:
        def enough() -> bool:
            return sum(one["id"] not in self._known for one in self._instances()) >= count

        until(enough, f"{count} machines are launched", within=300)

    def _instances(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._host.ask("inventory")["instances"]
        return found


def told(said: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def test_a_campaign_outlives_server_database_and_certificates(fleet: SelfHost) -> None:
    shown, launches = fleet.shown_certificate(), Launches(fleet)
    with fleet.guest("campaign", "web-2", "2.0.0") as running:
        launches.reach(1)
        fleet.kill("temporal")
        launches.reach(3)
        assert fleet.run("compose", "stop", "--timeout", "0", "postgresql").returncode == 0
        until(lambda: fleet.services()["postgresql"]["State"] == "exited", "the database is gone")
        time.sleep(5)  # the outage itself
        assert fleet.run("compose", "start", "postgresql").returncode == 0
        fleet.renew("certificates")
        fleet.renew("tokens")
        said, _ = running.communicate(timeout=900)

    assert running.returncode == 0, said
    assert told(said) == {"state": "succeeded", "receipt": EACH_ONCE}
    until(lambda: fleet.shown_certificate() != shown, "the engine shows its new certificate")
    logs = fleet.run("compose", "logs", "patch-campaign", "janitor").stdout
    for worker in ("patch-campaign", "janitor"):
        assert any("new credentials" in line for line in logs.splitlines() if line.startswith(worker)), worker


def test_a_campaign_that_is_restored_into_another_database_changes_each_host_once(
    fleet: SelfHost, tmp_path: Path
) -> None:
    launches = Launches(fleet)
    with fleet.guest("campaign", "web-1", "1.0.0") as running:
        launches.reach(2)
        backup = fleet.command("admin", "steadfleet", "self-host", "backup", str(tmp_path / "backup"))
        assert backup.returncode == 0, backup.stderr
        launches.reach(5)
        words = ("self-host", "restore", str(tmp_path / "backup"), "--into", "restored", "--yes")
        restored = fleet.command("admin", "steadfleet", *words)
        assert restored.returncode == 0, restored.stderr + restored.stdout
        said, _ = running.communicate(timeout=900)

    assert running.returncode == 0, said
    assert told(said) == {"state": "succeeded", "receipt": EACH_ONCE}
    assert "SELF_HOST_DATABASE=restored\n" in (fleet.secrets / "compose.env").read_text()


def test_a_drill_ends_with_its_verdicts(self_host: SelfHost) -> None:
    with self_host.guest("drill") as running:
        said, _ = running.communicate(timeout=900)

    assert running.returncode == 0, said
    assert "isolation  not proven  production is reached from inside: " in said


@pytest.mark.docker
def test_an_image_is_built_by_workers_outside_of_it(self_host: SelfHost, tmp_path: Path) -> None:
    """The local cloud of the compose file has no SSH: packer needs one whose machines are containers."""
    if lacking := demo.missing_for_images():
        missing(", ".join(lacking))
    stopped = ("image-build", "signer", "janitor")
    assert self_host.run("compose", "stop", *stopped).returncode == 0
    try:
        with commands(self_host, tmp_path, "builder", "signer", "janitor", machines="docker") as env:
            demo.golden_image(env)
    finally:
        assert self_host.run("compose", "up", "--detach", "--no-deps", "--wait", *stopped).returncode == 0

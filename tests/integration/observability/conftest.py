"""One stack for all that is watched: a good campaign over a worker's death, then one that halts."""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from integration.observability.collector import Collector, collecting
from integration.observability.stack import Stack

HOSTS = 4
SHOP = Path(__file__).parents[3] / "examples" / "shop" / "shop.yaml"


@dataclass
class Watched:
    stack: Stack
    collector: Collector


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Payloads are encrypted; nothing is cached, so that every workflow task is a replay."""
    folder = tmp_path_factory.mktemp("stack")
    keys = folder / "payload-keys"
    keys.write_text(f"first {base64.b64encode(os.urandom(32)).decode()}\n")
    with collecting() as collector:
        stack = Stack(
            folder,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_BSP_SCHEDULE_DELAY="200",
            STEADFLEET_MAX_CACHED_WORKFLOWS="0",
            STEADFLEET_HEARTBEAT_TIMEOUT="5s",
            STEADFLEET_WATCH_INTERVAL="1s",
            STEADFLEET_PAYLOAD_KEYS=str(keys),
        )
        try:
            stack.up("--free-ports")
            old, new, bad = (stack.image(release) for release in ("good-1.0", "good-2.0", "bad-crash"))
            stack.run("local-cloud", "fleet", "create", "web", "--image", old, "--size", str(HOSTS))
            stack.run("campaign", "start", "canary", "-f", stack.write_policy("good", new), "--yes")
            collector.wait_for("RunActivity:change_host")
            stack.process("worker").stop(timedelta(0))
            stack.up()
            stack.run("campaign", "watch", "good")
            stack.run("steadfleet", "drill", "schedule", "create", "-f", str(SHOP))
            stack.run("campaign", "start", "canary", "-f", stack.write_policy("bad", bad), "--yes")
            yield Watched(stack, collector)
        finally:
            stack.down()

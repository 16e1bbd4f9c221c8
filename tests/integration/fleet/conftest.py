"""A fleet of real machines, the adapter that serves it, and orders to give."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.fleet.bench import Bench

from steadfleet_local_cloud import LocalCloud

EXAMPLES = Path(__file__).parents[3] / "examples" / "web"


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(probe_scale=0.02) as cloud:
        yield cloud


@pytest.fixture
def bench(cloud: LocalCloud, tmp_path: Path) -> Bench:
    """Three hosts on release 1.0, one in each zone."""
    return Bench.build(cloud, EXAMPLES, tmp_path)

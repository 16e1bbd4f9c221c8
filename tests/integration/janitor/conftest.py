"""A cloud of two regions, and the janitor that sweeps it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.janitor.residue import HOME, OTHER, Site, janitor_of

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_local_cloud import LocalCloud

RELEASE = Path(__file__).parents[3] / "examples" / "web" / "good-1.0"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path / "state", regions=(HOME, OTHER), probe_scale=0.02) as cloud:
        yield cloud


@pytest.fixture
def site(cloud: LocalCloud) -> Site:
    return Site(cloud, HOME, cloud.register_image("web-1.0", RELEASE))


@pytest.fixture
def other(cloud: LocalCloud) -> Site:
    return Site(cloud, OTHER, cloud.register_image("web-1.0", RELEASE, region=OTHER))


@pytest.fixture
def janitor(cloud: LocalCloud) -> AwsJanitor:
    return janitor_of(cloud)

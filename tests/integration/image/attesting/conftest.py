from collections.abc import Iterator

import pytest
from integration.image.attesting.harbour import Harbour
from integration.image.attesting.studio import AWAY, HOME, Studio

from fakes.registry import FakeRegistry
from steadfleet_local_cloud import LocalCloud


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(machines="process", regions=(HOME, AWAY)) as cloud:
        yield cloud


@pytest.fixture
def studio(cloud: LocalCloud) -> Studio:
    return Studio(cloud)


@pytest.fixture(params=[True, False], ids=["referrers API", "fallback tag"])
def harbour(request: pytest.FixtureRequest, studio: Studio) -> Iterator[Harbour]:
    with FakeRegistry.running(referrers_api=request.param) as registry:
        yield Harbour(studio, registry)

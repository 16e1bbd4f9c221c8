from collections.abc import Iterator

import pytest
from integration.image.attesting.studio import AWAY, HOME, Studio

from steadfleet_local_cloud import LocalCloud


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(machines="process", regions=(HOME, AWAY)) as cloud:
        yield cloud


@pytest.fixture
def studio(cloud: LocalCloud) -> Studio:
    return Studio(cloud)

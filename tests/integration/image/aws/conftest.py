from collections.abc import Iterator

import pytest
from integration.image.aws.workbench import AWAY, HOME, Workbench

from steadfleet_local_cloud import LocalCloud


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """Give a platform that ignores client tokens: what is looked for first is what counts."""
    with LocalCloud(machines="process", regions=(HOME, AWAY), client_tokens=False) as cloud:
        yield cloud


@pytest.fixture
def bench(cloud: LocalCloud) -> Workbench:
    return Workbench(cloud)

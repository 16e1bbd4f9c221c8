"""One cloud of two regions for all tests of a file: a database takes seconds to be made."""

from collections.abc import Iterator

import pytest
from integration.drill.aws.stage import HOME, RECOVERY, Stage

from steadfleet_local_cloud import LocalCloud


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with LocalCloud(
        state=tmp_path_factory.mktemp("cloud"), regions=(HOME, RECOVERY), probe_scale=0.02
    ) as cloud:
        yield Stage(cloud)


@pytest.fixture(autouse=True)
def no_faults(stage: Stage) -> Iterator[None]:
    yield
    stage.cloud.clear_faults()
    stage.judge.refused.clear()

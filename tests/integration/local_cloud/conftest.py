from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.local_cloud.aws import RELEASES, Aws

from steadfleet_local_cloud import LocalCloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path / "state", probe_scale=0.05) as cloud:
        yield cloud


@pytest.fixture
def aws(cloud: LocalCloud) -> Aws:
    return Aws(cloud.endpoint)


@pytest.fixture
def image(cloud: LocalCloud) -> str:
    return cloud.register_image("web-1.0", RELEASES / "good-1.0")

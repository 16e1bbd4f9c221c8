import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.local_cloud.aws import RELEASES, Aws

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.base_image import BaseImage
from steadfleet_local_cloud.engine import Engine
from steadfleet_local_cloud.errors import EngineError


def missing(what: str) -> None:
    """Skip for what this machine lacks; in CI nothing may be lacking."""
    if os.environ.get("CI"):
        pytest.fail(f"missing: {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def engine() -> Engine:
    try:
        engine = Engine.connect()
    except EngineError as error:
        missing(f"a Docker engine ({error})")
    base = BaseImage.of_this_system()
    if not (engine.docker.image.exists(base.tag) or base.tarball.exists() or shutil.which("mmdebstrap")):
        missing("mmdebstrap, to make the base image")
    return engine


@pytest.fixture
def cloud(tmp_path: Path, engine: Engine) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path / "state", machines="docker", probe_scale=0.05) as cloud:
        yield cloud


@pytest.fixture
def aws(cloud: LocalCloud) -> Aws:
    return Aws(cloud.endpoint)


@pytest.fixture
def image(cloud: LocalCloud) -> str:
    return cloud.register_image("web-1.0", RELEASES / "good-1.0")


@pytest.fixture
def base(aws: Aws) -> str:
    """Give the base image's id."""
    (found,) = aws.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-*-base"]}])["Images"]
    return found["ImageId"]

"""Which exact image is built upon, or why none is."""

from typing import Any

import pytest
from integration.image.aws.workbench import AWAY, CONTENT, HOME, Workbench
from moto.ec2.models import ec2_backends

from steadfleet_activities.image import tags
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import BaseImage, Channel
from steadfleet_core.image.order import Base
from steadfleet_local_cloud.context import ACCOUNT


def base(**said: Any) -> BaseImage:
    return BaseImage.model_validate(said)


def moto_image(bench: Workbench, image: str) -> Any:
    """No call makes an image old, or somebody else's: reach into the platform."""
    return ec2_backends[ACCOUNT][HOME].amis[image]


@pytest.fixture
def image(bench: Workbench) -> str:
    return bench.cloud.register_image("debian", CONTENT, {tags.FAMILY: "debian", tags.VERSION: "12.0.0"})


async def test_base_is_found_each_way_it_can_be_named(bench: Workbench, image: str) -> None:
    bench.channels["debian", Channel.PROD] = "12.0.0"
    expected = Base(id=image, name="debian")

    assert await bench.platform.resolve_base(base(id=image)) == expected
    assert await bench.platform.resolve_base(base(name="debian")) == expected
    assert await bench.platform.resolve_base(base(name="debian", owner=ACCOUNT)) == expected
    assert await bench.platform.resolve_base(base(family="debian", version="12.0.0")) == expected
    assert await bench.platform.resolve_base(base(family="debian", channel="prod")) == expected


async def test_newest_available_image_of_a_name_is_taken(bench: Workbench) -> None:
    ids = [bench.cloud.register_image(f"debian-{number}", CONTENT) for number in (1, 2, 3)]
    for day, one in zip((1, 3, 2), ids, strict=True):
        moto_image(bench, one).creation_date = moto_image(bench, one).creation_date.replace(
            year=2020, day=day
        )
    moto_image(bench, ids[1]).state = "pending"

    assert await bench.platform.resolve_base(base(name="debian-*")) == Base(id=ids[2], name="debian-3")


async def test_name_without_an_owner_means_our_own(bench: Workbench, image: str) -> None:
    """Anyone may publish an image under the name that is looked for."""
    moto_image(bench, image).owner_id = "999999999999"

    with pytest.raises(RefusedError, match=r"of this account's own.*say in owner whose it is"):
        await bench.platform.resolve_base(base(name="debian"))
    assert (await bench.platform.resolve_base(base(name="debian", owner="999999999999"))).id == image


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"id": "ami-0123456789abcdef0"}, f"no image ami-0123456789abcdef0 in {HOME}"),
        ({"name": "fedora"}, "there is no image fedora"),
        ({"family": "debian", "version": "13.0.0"}, "got none, expected exactly one image tagged"),
        ({"family": "debian", "channel": "dev"}, "channel dev of debian points at no version"),
        ({"reference": "debian:12"}, "names an image of a Docker engine"),
    ],
)
async def test_base_that_is_not_there_is_refused(
    bench: Workbench, image: str, said: dict[str, str], words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        await bench.platform.resolve_base(base(**said))


async def test_base_that_is_not_available_is_refused(bench: Workbench, image: str) -> None:
    moto_image(bench, image).state = "failed"

    with pytest.raises(RefusedError, match=f"image {image} is failed, expected available"):
        await bench.platform.resolve_base(base(id=image))


async def test_version_with_two_images_is_refused(bench: Workbench, image: str) -> None:
    twin = bench.cloud.register_image("twin", CONTENT, {tags.FAMILY: "debian", tags.VERSION: "12.0.0"})

    with pytest.raises(RefusedError) as refused:
        await bench.platform.resolve_base(base(family="debian", version="12.0.0"))
    assert ", ".join(sorted([image, twin])) in str(refused.value)


async def test_only_the_home_region_counts(bench: Workbench) -> None:
    away = bench.cloud.register_image("debian", CONTENT, region=AWAY)

    with pytest.raises(RefusedError):
        await bench.platform.resolve_base(base(id=away))


async def test_released_version_is_known(bench: Workbench, image: str) -> None:
    assert await bench.platform.released("debian", "12.0.0", [AWAY]) == f"{image} in {HOME}"
    assert await bench.platform.released("debian", "12.0.1", [AWAY]) is None

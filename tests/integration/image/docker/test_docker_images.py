"""OCI images: found by label and name, pushed once, released under one name for ever."""

from pathlib import Path

import pytest
from integration.image.docker.conftest import EngineBench

from fakes.registry import FakeRegistry
from steadfleet_activities.image import tags
from steadfleet_activities.image.docker import ENGINE
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import BaseImage
from steadfleet_core.image.order import Base

pytestmark = pytest.mark.docker


async def test_base_is_the_engines_own_image_by_its_digest(bench: EngineBench) -> None:
    built = bench.image_of(bench.build())
    bench.engine.image.tag(built.id, f"{bench.family}:base")

    found = await bench.platform.resolve_base(BaseImage(reference=f"{bench.family}:base"))

    assert found == Base(id=built.id, name=f"{bench.family}:base", digest=built.id)


@pytest.mark.parametrize(
    ("base", "words"),
    [
        (BaseImage(reference="nowhere:1"), "has no image nowhere:1: pull it there"),
        (BaseImage(name="debian"), "debian is no image of a Docker engine"),
    ],
)
async def test_base_that_is_not_there_is_refused(bench: EngineBench, base: BaseImage, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        await bench.platform.resolve_base(base)


async def test_finished_image_is_found_with_what_was_noted(bench: EngineBench) -> None:
    build = bench.build()
    built = bench.image_of(build)
    assert await bench.platform.finished(build) is None, "packer made it, and nobody saw it whole"

    await bench.platform.keep(build, built)

    assert await bench.platform.finished(build) == built
    assert await bench.platform.finished(bench.build("b")) is None


async def test_image_without_the_runs_label_is_refused(bench: EngineBench) -> None:
    built = bench.image_of(bench.build("b"))

    with pytest.raises(RefusedError, match=f"no such image with the label {tags.RUN}="):
        await bench.platform.keep(bench.build(), built)


async def test_discard_takes_images_and_containers_of_the_run(bench: EngineBench) -> None:
    other = await bench.kept(bench.build("b"))
    before = bench.shape()
    build = bench.build()
    built = await bench.kept(build)
    bench.engine.container.create(built.id, ["true"])
    bench.engine.container.create(other.id, ["true"], labels={tags.RUN: build.run})

    await bench.platform.discard(build, bench.say)
    assert bench.shape() == before

    await bench.platform.discard(build, bench.say)
    assert bench.shape() == before


async def test_discard_spares_what_was_released_and_who_runs_it(bench: EngineBench) -> None:
    """A container has the labels of its image."""
    build = bench.build()
    publication = bench.publication(build, await bench.kept(build), ENGINE)
    copy = await bench.platform.publish(publication, "1", bench.say)
    await bench.platform.release(bench.to_release(publication, copy.id))
    bench.engine.container.create(copy.id, ["true"])
    before = bench.shape()

    await bench.platform.discard(build, bench.say)

    assert bench.shape() == before


async def test_published_image_is_in_the_registry_by_digest_and_under_no_version(
    bench: EngineBench, registry: FakeRegistry
) -> None:
    build = bench.build()
    publication = bench.publication(build, await bench.kept(build), f"{registry.host}/golden")
    before = bench.shape()

    first = await bench.platform.publish(publication, "1", bench.say)
    again = await bench.platform.publish(publication, "2", bench.say)

    held = registry.repositories[f"golden/{bench.family}"]
    assert first == again
    assert first.id == f"{registry.host}/golden/{bench.family}@{held.tags['1.4.2-a']}"
    assert "1.4.2" not in held.tags
    assert bench.shape() == before, "no name of the registry's stays in the engine"


async def test_release_gives_the_version_to_the_same_digest(
    bench: EngineBench, registry: FakeRegistry
) -> None:
    build, place = bench.build(), f"{registry.host}/golden"
    publication = bench.publication(build, await bench.kept(build), place)
    copy = await bench.platform.publish(publication, "1", bench.say)
    assert await bench.platform.released(bench.family, "1.4.2", [place]) is None

    for _ in range(2):
        await bench.platform.release(bench.to_release(publication, copy.id))

    held = registry.repositories[f"golden/{bench.family}"]
    assert copy.id.endswith(held.tags["1.4.2"])
    assert await bench.platform.released(bench.family, "1.4.2", [place]) == f"{place}/{bench.family}:1.4.2"


async def test_version_that_names_another_image_is_refused(
    bench: EngineBench, registry: FakeRegistry
) -> None:
    place = f"{registry.host}/golden"
    for run in ("a", "b"):
        build = bench.build(run)
        publication = bench.publication(build, await bench.kept(build), place)
        copy = await bench.platform.publish(publication, "1", bench.say)
        release = bench.to_release(publication, copy.id)
        if run == "a":
            await bench.platform.release(release)

    with pytest.raises(RefusedError, match="a version names one image for ever"):
        await bench.platform.release(release)


async def test_withdrawn_copy_leaves_nothing(bench: EngineBench, registry: FakeRegistry) -> None:
    build = bench.build()
    publication = bench.publication(build, await bench.kept(build), f"{registry.host}/golden")
    await bench.platform.publish(publication, "1", bench.say)

    for _ in range(2):
        await bench.platform.withdraw(publication)

    held = registry.repositories[f"golden/{bench.family}"]
    assert (held.tags, held.manifests) == ({}, {})


async def test_release_in_the_engine_is_listed_and_refuses_another(bench: EngineBench) -> None:
    build = bench.build()
    publication = bench.publication(build, await bench.kept(build), ENGINE)
    assert await bench.platform.listed(bench.family) == []

    await bench.platform.release(bench.to_release(publication, publication.image.id))

    (listed,) = await bench.platform.listed(bench.family)
    assert (listed.family, listed.version, listed.place) == (bench.family, "1.4.2", ENGINE)
    assert listed.id == publication.image.id
    assert listed in await bench.platform.listed("")
    assert await bench.platform.released(bench.family, "1.4.2", []) is not None
    other = await bench.kept(bench.build("b"))
    with pytest.raises(RefusedError, match="a version names one image for ever"):
        await bench.platform.release(bench.to_release(publication, other.id))


async def test_place_that_names_no_registry_is_refused(bench: EngineBench) -> None:
    build = bench.build()
    publication = bench.publication(build, await bench.kept(build), "golden")

    with pytest.raises(RefusedError, match="golden names no registry"):
        await bench.platform.publish(publication, "1", bench.say)


async def test_packer_is_given_dockers_own_variables_and_nothing_else(
    bench: EngineBench, tmp_path: Path
) -> None:
    async with bench.platform.site(bench.order(bench.build()), tmp_path) as site:
        assert site.environment == {"DOCKER_HOST": "unix:///var/run/docker.sock"}

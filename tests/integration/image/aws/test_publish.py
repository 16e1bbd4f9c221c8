"""A copy in another region: one, whatever is lost, and none when it is withdrawn."""

import asyncio
from typing import Any

import pytest
from integration.image.aws.workbench import AWAY, CONTENT, HOME, OTHER_RUN, RUN, Workbench
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import at_the_edge
from steadfleet_activities.image import publish, tags
from steadfleet_core.errors import RefusedError
from steadfleet_ports.image import Publication, PublishedCopy


async def published(bench: Workbench, publication: Publication, token: str = "1") -> PublishedCopy:
    return await bench.platform.publish(publication, token, bench.say)


async def test_home_has_the_built_image_itself(bench: Workbench) -> None:
    built = bench.image_of(bench.build())
    before = bench.cloud.inventory()

    copy = await published(bench, bench.publication(built, HOME))

    assert copy == PublishedCopy(place=HOME, id=built.id)
    assert bench.cloud.inventory() == before


async def test_copy_is_waited_for_and_carries_what_finds_it_again(bench: Workbench) -> None:
    built = bench.image_of(bench.build())

    copy = await published(bench, bench.publication(built))

    found = bench.image(copy.id)
    marks = {tags.RUN: RUN, tags.EXPIRES_AT: "2026-11-21T20:00:00+00:00", tags.SOURCE_IMAGE: built.id}
    assert (found["region"], found["name"]) == (AWAY, bench.build().image_name)
    assert marks.items() <= found["tags"].items()
    assert marks.items() <= bench.snapshot_of(copy.id)["tags"].items()
    assert tags.FAMILY not in found["tags"], "nobody may find it before it is released"
    assert bench.said[-1] == f"copy {copy.id} in {AWAY} is available"


async def test_all_tags_are_in_the_creating_call(bench: Workbench) -> None:
    """A worker may die right after it."""
    built = bench.image_of(bench.build())
    fault = bench.cloud.add_fault("hold", action="CopyImage", when="after", count=1)
    asked = asyncio.create_task(published(bench, bench.publication(built)))
    await asyncio.to_thread(bench.cloud.faults.await_held, fault.id)

    (copy,) = bench.images(AWAY)

    assert {tags.RUN, tags.EXPIRES_AT, tags.SOURCE_IMAGE} <= copy["tags"].keys()
    assert {tags.RUN, tags.EXPIRES_AT} <= bench.snapshot_of(copy["id"])["tags"].keys()
    bench.cloud.release(fault)
    await asked


async def test_second_try_finds_the_copy_of_the_first(bench: Workbench) -> None:
    publication = bench.publication(bench.image_of(bench.build()))
    first = await published(bench, publication)

    assert await published(bench, publication, "2") == first
    assert len(bench.images(AWAY)) == 1


@pytest.mark.parametrize("kind", ["lost", "error", "throttle"])
async def test_unclear_answer_doubles_no_copy(bench: Workbench, kind: str) -> None:
    publication = bench.publication(bench.image_of(bench.build()))
    fault = bench.cloud.add_fault(kind, action="CopyImage", count=1)

    copy = await tried(bench, publication)

    assert fault.struck == 1
    assert [one["id"] for one in bench.images(AWAY)] == [copy.id]


async def tried(bench: Workbench, publication: Publication) -> PublishedCopy:
    """Try as the engine would: again, if the error may pass."""
    try:
        with at_the_edge("publishing"):
            return await published(bench, publication)
    except ApplicationError as error:
        if error.non_retryable:
            raise
        return await published(bench, publication, "2")


async def test_adapter_that_does_not_look_doubles_the_copy(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: without the look, the lost answer would leave two."""

    def blind(publication: Publication, amis: Any) -> list[Any]:
        return []

    monkeypatch.setattr(publish, "_copies", blind)
    publication = bench.publication(bench.image_of(bench.build()))
    bench.cloud.add_fault("lost", action="CopyImage", count=1)

    with pytest.raises(ApplicationError, match=r"InvalidAMIName\.Duplicate"), at_the_edge("publishing"):
        await tried(bench, publication)


async def test_lost_look_is_tried_again(bench: Workbench) -> None:
    publication = bench.publication(bench.image_of(bench.build()))
    bench.cloud.add_fault("throttle", action="DescribeImages", count=2)

    await published(bench, publication)

    assert len(bench.images(AWAY)) == 1


async def test_failed_copy_is_said_and_replaced_by_the_next_try(bench: Workbench) -> None:
    publication = bench.publication(bench.image_of(bench.build()), kms_key="alias/nowhere")
    with pytest.raises(ApplicationError, match=r"copy ami-\w+ in us-east-1 became failed") as failed:
        await published(bench, publication)
    (lost,) = bench.images(AWAY)
    again = bench.publication(publication.image)

    copy = await published(bench, again, "2")

    assert not failed.value.non_retryable
    assert [one["id"] for one in bench.images(AWAY)] == [copy.id] != [lost["id"]]
    assert len(bench.cloud.inventory()["snapshots"]) == 2, "the built image's, and the copy's"


async def test_copy_that_takes_too_long_is_found_again(bench: Workbench) -> None:
    bench.cloud.add_fault("slow-copy", seconds=0.5, count=1)
    publication = bench.publication(bench.image_of(bench.build()), copy_time_limit="0.1s")

    with pytest.raises(ApplicationError, match=r"is pending after 0\.1s") as late:
        await published(bench, publication)
    patient = bench.publication(publication.image, copy_time_limit="1m")
    await published(bench, patient, "2")

    assert late.value.type == "CopyOverdueError"
    assert len(bench.images(AWAY)) == 1


async def test_key_encrypts_the_copy(bench: Workbench) -> None:
    kms = bench.regions._client("kms", region_name=AWAY)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    publication = bench.publication(bench.image_of(bench.build()), kms_key=key)

    copy = await published(bench, publication)

    (image,) = bench.regions.at(AWAY).ec2.describe_images(ImageIds=[copy.id])["Images"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]


async def test_name_that_another_run_took_is_refused(bench: Workbench) -> None:
    built = bench.image_of(bench.build())
    bench.cloud.register_image(bench.build().image_name, CONTENT, {tags.RUN: OTHER_RUN}, region=AWAY)

    with pytest.raises(RefusedError, match=f"is not of run {RUN}: deregister it"):
        await published(bench, bench.publication(built))


async def test_image_that_was_taken_away_meanwhile_is_refused(bench: Workbench) -> None:
    built = bench.image_of(bench.build())
    bench.regions.at_home.ec2.deregister_image(ImageId=built.id)

    with pytest.raises(RefusedError, match=f"image {built.id} in {HOME} is gone"):
        await published(bench, bench.publication(built, HOME))


async def test_withdrawn_copy_leaves_nothing(bench: Workbench) -> None:
    built = bench.image_of(bench.build())
    publication, before = bench.publication(built), bench.cloud.inventory()
    await published(bench, publication)

    await bench.platform.withdraw(publication)
    assert bench.cloud.inventory() == before

    await bench.platform.withdraw(publication)
    assert bench.cloud.inventory() == before


@pytest.mark.parametrize("action", ["DeregisterImage", "DeleteSnapshot"])
async def test_withdrawal_cut_in_two_is_ended_by_the_next(bench: Workbench, action: str) -> None:
    publication = bench.publication(bench.image_of(bench.build()))
    before = bench.cloud.inventory()
    await published(bench, publication)
    fault = bench.cloud.add_fault("error", action=action, count=5)

    with pytest.raises(ApplicationError), at_the_edge("withdrawing"):
        await bench.platform.withdraw(publication)
    assert fault.struck == 5
    await bench.platform.withdraw(publication)

    assert bench.cloud.inventory() == before


async def test_withdrawal_at_home_leaves_the_image_to_the_build(bench: Workbench) -> None:
    built = bench.image_of(bench.build())
    before = bench.cloud.inventory()

    await bench.platform.withdraw(bench.publication(built, HOME))

    assert bench.cloud.inventory() == before


async def test_withdrawal_spares_what_other_runs_published(bench: Workbench) -> None:
    other = bench.build(OTHER_RUN)
    kept = await published(bench, bench.publication(bench.image_of(other), build=other))
    publication = bench.publication(bench.image_of(bench.build()))
    await published(bench, publication)

    await bench.platform.withdraw(publication)

    assert [one["id"] for one in bench.images(AWAY)] == [kept.id]
    assert bench.snapshot_of(kept.id)

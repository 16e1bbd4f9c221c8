"""A released image: found by family and version, shared, and there for good; and the list of them."""

import pytest
from integration.image.aws.workbench import AWAY, HOME, OTHER_RUN, Workbench
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import at_the_edge
from steadfleet_activities.image import tags
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_ports.image import Release


async def copied(bench: Workbench, place: str, **publish: object) -> Release:
    publication = bench.publication(bench.image_of(bench.build()), place, **publish)
    copy = await bench.platform.publish(publication, "1", bench.say)
    return bench.to_release(publication, copy.id)


@pytest.mark.parametrize("place", [HOME, AWAY])
async def test_released_image_has_its_name_and_expires_no_more(bench: Workbench, place: str) -> None:
    release = await copied(bench, place)

    await bench.platform.release(release)

    found = bench.image(release.copy_id)["tags"]
    assert (found[tags.FAMILY], found[tags.VERSION], found[tags.ORDER]) == (
        "web",
        "1.4.2",
        digest_of(b"order"),
    )
    assert tags.EXPIRES_AT not in found
    assert tags.EXPIRES_AT not in bench.snapshot_of(release.copy_id)["tags"]


async def test_release_shares_image_and_snapshot_with_the_accounts_named(bench: Workbench) -> None:
    release = await copied(bench, AWAY, share_with=["111122223333", "444455556666"])
    ec2 = bench.regions.at(AWAY).ec2

    await bench.platform.release(release)

    launch = ec2.describe_image_attribute(ImageId=release.copy_id, Attribute="launchPermission")
    volume = ec2.describe_snapshot_attribute(
        SnapshotId=bench.image(release.copy_id)["snapshot"], Attribute="createVolumePermission"
    )
    accounts = ["111122223333", "444455556666"]
    assert sorted(one["UserId"] for one in launch["LaunchPermissions"]) == accounts
    assert sorted(one["UserId"] for one in volume["CreateVolumePermissions"]) == accounts


async def test_nothing_is_shared_before_the_release(bench: Workbench) -> None:
    release = await copied(bench, AWAY, share_with=["111122223333"])

    launch = bench.regions.at(AWAY).ec2.describe_image_attribute(
        ImageId=release.copy_id, Attribute="launchPermission"
    )

    assert launch["LaunchPermissions"] == []


@pytest.mark.parametrize(
    "action", ["ModifyImageAttribute", "ModifySnapshotAttribute", "CreateTags", "DeleteTags"]
)
async def test_release_cut_in_two_is_ended_by_the_next(bench: Workbench, action: str) -> None:
    release = await copied(bench, AWAY, share_with=["111122223333"])
    bench.cloud.add_fault("error", action=action, count=5)
    with pytest.raises(ApplicationError) as failed, at_the_edge("releasing"):
        await bench.platform.release(release)

    await bench.platform.release(release)
    once = bench.cloud.inventory()
    await bench.platform.release(release)

    assert not failed.value.non_retryable
    assert bench.cloud.inventory() == once
    assert tags.EXPIRES_AT not in bench.image(release.copy_id)["tags"]


async def test_version_that_names_another_image_is_refused(bench: Workbench) -> None:
    first = await copied(bench, HOME)
    await bench.platform.release(first)
    other = bench.build(OTHER_RUN)
    second = bench.publication(bench.image_of(other), HOME, build=other)
    before = bench.cloud.inventory()

    with pytest.raises(RefusedError, match=rf"web@1\.4\.2 is {first.copy_id} in {HOME} already"):
        await bench.platform.release(bench.to_release(second, second.image.id))

    assert bench.cloud.inventory() == before


async def test_image_of_another_run_is_not_released(bench: Workbench) -> None:
    built = bench.image_of(bench.build(OTHER_RUN))
    publication = bench.publication(built, HOME)

    with pytest.raises(RefusedError, match=f"is of run {OTHER_RUN}: expected the copy of run"):
        await bench.platform.release(bench.to_release(publication, built.id))


async def test_image_that_is_gone_is_not_released(bench: Workbench) -> None:
    release = await copied(bench, HOME)
    bench.regions.at_home.ec2.deregister_image(ImageId=release.copy_id)

    with pytest.raises(RefusedError, match="is gone: expected the copy of run"):
        await bench.platform.release(release)


async def test_list_shows_released_images_of_every_region_named(bench: Workbench) -> None:
    away = await copied(bench, AWAY)
    home = bench.to_release(bench.publication(away.publication.image, HOME), away.publication.image.id)
    assert await bench.platform.listed("") == [], "what is not released is nobody's"
    await bench.platform.release(home)
    await bench.platform.release(away)
    bench.make_bucket("steadfleet-attestations")
    for name in ("a", "b"):
        bench.regions.s3.put_object(
            Bucket="steadfleet-attestations", Key=f"ami/{home.copy_id}/{name}.sigstore.json", Body=b"{}"
        )

    listed = await bench.platform.listed("")

    assert [(one.family, one.version, one.place, one.id, one.attestations) for one in listed] == [
        ("web", "1.4.2", HOME, home.copy_id, 2),
        ("web", "1.4.2", AWAY, away.copy_id, 0),
    ]
    assert all(one.created_at for one in listed)
    assert await bench.platform.listed("web") == listed
    assert await bench.platform.listed("db") == []
    assert [one.place for one in await bench.make(places=[]).listed("")] == [HOME]

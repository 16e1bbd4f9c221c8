"""What a build made at home goes, whatever state it was left in; what is released or another's stays."""

import pytest
from integration.image.aws.workbench import CONTENT, HOME, OTHER_RUN, RUN, Workbench
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import at_the_edge
from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import specifications
from steadfleet_core.errors import RefusedError


@pytest.fixture
def base(bench: Workbench) -> str:
    return bench.cloud.register_image("base", CONTENT)


def machine(bench: Workbench, base: str, run: str = RUN, *, tagged: bool = True) -> str:
    """Launch as packer does, into the run's own group and with its own key."""
    build = bench.build(run)
    network = bench.platform._networks.chosen({})
    access = bench.platform._doors.open(build, network)
    marks = specifications(tags.temporary(build), "instance", "volume") if tagged else []
    answer = bench.regions.at_home.ec2.run_instances(
        ImageId=base,
        MinCount=1,
        MaxCount=1,
        KeyName=access.key_pair,
        SecurityGroupIds=[access.security_group],
        SubnetId=network.subnet,
        TagSpecifications=marks,
    )
    return answer["Instances"][0]["InstanceId"]


def frozen(bench: Workbench, instance: str, marks: dict[str, str]) -> str:
    """Create the image as packer 1.6 does, which tags it afterwards."""
    ec2 = bench.regions.at_home.ec2
    image = ec2.create_image(InstanceId=instance, Name=bench.build().image_name)["ImageId"]
    if marks:
        bench.platform._amis.tag([image], marks)
    return image


async def test_discard_of_nothing_does_nothing(bench: Workbench) -> None:
    before = bench.cloud.inventory()

    await bench.platform.discard(bench.build(), bench.say)

    assert bench.cloud.inventory() == before


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("with_image", [True, False])
async def test_discard_takes_all_that_a_killed_packer_left(
    bench: Workbench, base: str, *, tagged: bool, with_image: bool
) -> None:
    before = bench.cloud.inventory()
    instance = machine(bench, base, tagged=tagged)
    if with_image:
        frozen(bench, instance, tags.temporary(bench.build()) if tagged else {})
    assert bench.cloud.inventory() != before

    await bench.platform.discard(bench.build(), bench.say)

    assert bench.cloud.inventory() == before


async def test_discard_spares_other_runs(bench: Workbench, base: str) -> None:
    machine(bench, base, OTHER_RUN)
    bench.image_of(bench.build(OTHER_RUN))
    before = bench.cloud.inventory()
    machine(bench, base)

    await bench.platform.discard(bench.build(), bench.say)

    assert bench.cloud.inventory() == before


async def test_discard_spares_what_was_released(bench: Workbench) -> None:
    built = bench.image_of(bench.build())
    publication = bench.publication(built, HOME)
    await bench.platform.publish(publication, "1", bench.say)
    await bench.platform.release(bench.to_release(publication, built.id))
    before = bench.cloud.inventory()

    await bench.platform.discard(bench.build(), bench.say)

    assert bench.cloud.inventory() == before


@pytest.mark.parametrize(
    "action",
    [
        "TerminateInstances",
        "CreateTags",
        "DeregisterImage",
        "DeleteSnapshot",
        "DeleteKeyPair",
        "DeleteSecurityGroup",
    ],
)
async def test_discard_cut_in_two_is_ended_by_the_next(bench: Workbench, base: str, action: str) -> None:
    before = bench.cloud.inventory()
    frozen(bench, machine(bench, base), {})
    fault = bench.cloud.add_fault("error", action=action, count=5)
    with pytest.raises(ApplicationError) as failed, at_the_edge("discarding"):
        await bench.platform.discard(bench.build(), bench.say)

    await bench.platform.discard(bench.build(), bench.say)

    assert (fault.struck, failed.value.non_retryable) == (5, False)
    assert bench.cloud.inventory() == before


async def test_snapshot_whose_image_is_gone_is_found_by_the_machine(bench: Workbench, base: str) -> None:
    """Packer was killed between deregistering an image and deleting its snapshot."""
    before = bench.cloud.inventory()
    image = frozen(bench, machine(bench, base), {})
    bench.regions.at_home.ec2.deregister_image(ImageId=image)

    await bench.platform.discard(bench.build(), bench.say)

    assert bench.cloud.inventory() == before


async def test_volume_that_no_machine_holds_goes_too(bench: Workbench) -> None:
    before = bench.cloud.inventory()
    marks = specifications(tags.temporary(bench.build()), "volume")
    bench.regions.at_home.ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=1, TagSpecifications=marks)

    await bench.platform.discard(bench.build(), bench.say)

    assert bench.cloud.inventory() == before


async def test_finished_image_is_found_with_what_was_noted(bench: Workbench) -> None:
    build = bench.build()
    built = bench.image_of(build)
    assert await bench.platform.finished(build) is None, "packer made it, and nobody saw it whole"
    await bench.platform.keep(build, built)

    assert await bench.platform.finished(build) == built
    assert bench.image(built.id)["tags"][tags.KEY] == build.key
    assert tags.temporary(build).items() <= bench.snapshot_of(built.id)["tags"].items()


async def test_access_of_a_finished_image_is_closed(bench: Workbench) -> None:
    build = bench.build()
    built = bench.image_of(build)
    await bench.platform.keep(build, built)
    before = bench.cloud.inventory()
    bench.platform._doors.open(build, bench.platform._networks.chosen({}))

    await bench.platform.finished(build)

    assert bench.cloud.inventory() == before


async def test_image_that_another_run_made_under_the_name_is_refused(bench: Workbench) -> None:
    bench.image_of(bench.build(), {tags.RUN: OTHER_RUN})

    with pytest.raises(RefusedError, match=f"belongs to run {OTHER_RUN}, not {RUN}"):
        await bench.platform.finished(bench.build())


@pytest.mark.parametrize(
    ("name", "marks", "words"),
    [
        ("web-other", {tags.RUN: RUN}, "its name is web-other, expected web-1.4.2-"),
        (None, {}, r"its steadfleet:run is \(none\), expected"),
    ],
)
async def test_image_without_what_the_template_was_given_is_refused(
    bench: Workbench, name: str | None, marks: dict[str, str], words: str
) -> None:
    build = bench.build()
    image = bench.cloud.register_image(name or build.image_name, CONTENT, marks)

    with pytest.raises(RefusedError, match=f"{words}.*must use the variables"):
        await bench.platform.keep(build, bench.built(image))


async def test_image_that_is_not_there_is_refused(bench: Workbench) -> None:
    with pytest.raises(RefusedError, match="there is no such image"):
        await bench.platform.keep(bench.build(), bench.built("ami-00000000000000000"))

"""The groups move to the judged image in one step, once, and the old number stays known."""

import pytest
from integration.fleet.bench import CAMPAIGN, Bench
from integration.fleet.sabotage import KilledError, Killer, When
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.fleet.adoption import Adoption
from steadfleet_core.fleet import Group, Image
from steadfleet_ports.fleet import ImageAdoption

PREVIOUS = "steadfleet:previous-template-version"


async def _order(bench: Bench, image: Image) -> ImageAdoption:
    return ImageAdoption(plan=(await bench.preview(image.id)).plan, campaign=CAMPAIGN)


async def _adopt(bench: Bench, order: ImageAdoption) -> None:
    await ActivityEnvironment().run(bench.fleet.adopt_image, order)


def _versions(bench: Bench) -> list[tuple[int, str, str]]:
    answer = bench.aws.ec2.describe_launch_template_versions(LaunchTemplateId=bench.made.launch_template)
    return sorted(
        (one["VersionNumber"], one["LaunchTemplateData"]["ImageId"], one.get("VersionDescription", ""))
        for one in answer["LaunchTemplateVersions"]
    )


def _previous(bench: Bench) -> str | None:
    return next((tag["Value"] for tag in bench.group()["Tags"] if tag["Key"] == PREVIOUS), None)


async def test_group_moves_to_a_version_that_differs_in_the_image_alone(bench: Bench) -> None:
    image = bench.image("good-2.0")

    await _adopt(bench, await _order(bench, image))

    described = f"steadfleet {CAMPAIGN} {image.id} from version 1"
    assert _versions(bench) == [(1, bench.made.image, ""), (2, image.id, described)]
    assert bench.group()["LaunchTemplate"]["Version"] == "2"
    assert _previous(bench) == "1"
    data = bench.aws.ec2.describe_launch_template_versions(
        LaunchTemplateId=bench.made.launch_template, Versions=["2"]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data == {"ImageId": image.id, "InstanceType": "t3.micro"}


async def test_what_the_group_launches_next_runs_the_image(bench: Bench) -> None:
    bench.make_room()
    image = bench.image("good-2.0")
    await _adopt(bench, await _order(bench, image))

    bench.aws.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=4)

    assert bench.images() == {bench.made.image: 3, image.id: 1}


@pytest.mark.parametrize("pointer", ["1", "$Latest", "$Default"])
async def test_adopting_twice_is_adopting_once(bench: Bench, pointer: str) -> None:
    bench.point_template(pointer)
    order = await _order(bench, bench.image("good-2.0"))

    await _adopt(bench, order)
    versions, since = _versions(bench), bench.now()
    await _adopt(bench, order)

    assert (_versions(bench), len(versions)) == (versions, 2)
    assert (bench.group()["LaunchTemplate"]["Version"], _previous(bench)) == ("2", "1")
    assert not [entry["action"] for entry in bench.calls(since) if entry["mutating"]]


class _Blind(Adoption):
    """A mutant: never finds the version that it made."""

    def _existing(self, frozen: Group, image: Image, campaign: str) -> int | None:
        return None


async def test_adoption_that_does_not_look_makes_a_second_version(bench: Bench) -> None:
    """The mutant: it is the look that keeps the version single, for the platform ignores its token."""
    order = await _order(bench, bench.image("good-2.0"))
    await _adopt(bench, order)
    bench.point_template("1")

    _Blind(bench.aws, bench.fleet._members, bench.fleet._templates).adopt(order)

    assert len(_versions(bench)) == 3


@pytest.mark.parametrize("when", ["before", "after"])
async def test_adoption_can_be_killed_at_any_call(bench: Bench, when: When) -> None:
    killer, call = Killer(bench.aws), 1
    while True:
        order = await _order(bench, bench.image_named(f"web-{call}"))
        made, before = len(_versions(bench)), bench.group()["LaunchTemplate"]["Version"]
        try:
            with killer.killing(call, when):
                await _adopt(bench, order)
            break
        except KilledError:
            await _adopt(bench, order)
        assert len(_versions(bench)) == made + 1, f"killed {when} call {call}"
        assert _previous(bench) == before, f"killed {when} call {call}"
        assert bench.group()["LaunchTemplate"]["Version"] == str(made + 1)
        call += 1

    assert call >= 5


@pytest.mark.parametrize("action", ["CreateLaunchTemplateVersion", "UpdateAutoScalingGroup"])
async def test_lost_answer_makes_no_second_version(bench: Bench, action: str) -> None:
    order = await _order(bench, bench.image("good-2.0"))
    bench.cloud.add_fault("lost", action=action, count=1)

    for _ in range(2):  # as Temporal would try again
        try:
            await _adopt(bench, order)
            break
        except ApplicationError as error:
            assert not error.non_retryable  # noqa: PT017 - the retry is the point

    assert [number for number, _, _ in _versions(bench)] == [1, 2]
    assert bench.group()["LaunchTemplate"]["Version"] == "2"


async def test_template_that_somebody_moved_is_left_so(bench: Bench) -> None:
    order = await _order(bench, bench.image("good-2.0"))
    bench.move_template({"ImageId": bench.made.image, "InstanceType": "t3.large"}, "2")

    with pytest.raises(ApplicationError, match="group web launches from version 2 of") as refused:
        await _adopt(bench, order)

    assert refused.value.non_retryable
    assert bench.group()["LaunchTemplate"]["Version"] == "2"
    assert len(_versions(bench)) == 2

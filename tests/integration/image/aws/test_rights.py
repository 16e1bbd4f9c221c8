"""What a builder may not do is named, by trying it dry, at home and where it publishes."""

from integration.image.aws.workbench import AWAY, BUCKET, HOME, Workbench
from integration.janitor.residue import refuse
from integration.rights import listen
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.image.rights import build_access, build_calls, publish_calls
from steadfleet_ports.access import Access, AccessQuestion


async def inspect(bench: Workbench, *publish: str) -> Access:
    access = build_access(bench.regions, BUCKET)
    question = AccessQuestion(builds=True, publish_regions=publish)
    found: Access = await ActivityEnvironment().run(access.inspect_access, question)
    return found


def refuse_all(bench: Workbench, region: str, actions: list[str]) -> None:
    regional = bench.regions.at(region)
    for action in actions:
        for client in (regional.ec2, regional.creator):
            refuse(client, action.removeprefix("ec2:"), "UnauthorizedOperation")


async def test_a_builder_that_may_do_all_is_refused_nothing_and_has_done_nothing(bench: Workbench) -> None:
    home, before = bench.regions.at_home, bench.cloud.inventory()
    asked = listen(home.ec2, home.creator, bench.regions.s3)

    found = await inspect(bench, AWAY)

    assert (found.store_problem, found.refused, found.unclear) == ("", (), ())
    assert found.regions == (HOME, AWAY)
    assert bench.cloud.inventory() == before
    assert asked.keys() == {action.partition(":")[2] for action in build_calls(home)} | {"ListObjectsV2"}
    assert all(asked.values()), asked


async def test_each_call_of_a_build_that_is_not_allowed_is_named_as_what_is_called(bench: Workbench) -> None:
    actions = list(build_calls(bench.regions.at_home))
    refuse_all(bench, HOME, actions)

    found = await inspect(bench)

    assert sorted(found.refused) == sorted(
        f"{action} in {HOME} is refused (UnauthorizedOperation): allow it to the image-build worker's role "
        "(docs/aws.md)"
        for action in actions
    )


async def test_where_images_are_published_only_that_is_tried(bench: Workbench) -> None:
    refuse_all(bench, AWAY, list(build_calls(bench.regions.at_home)))

    assert (await inspect(bench)).refused == ()
    refused = (await inspect(bench, AWAY)).refused

    assert {one.split()[0] for one in refused} == set(publish_calls(bench.regions.at(AWAY), HOME))
    assert {one.split()[2] for one in refused} == {AWAY}

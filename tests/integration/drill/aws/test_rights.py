"""What a driller may not do is named: looks in production, and what it makes where it recovers."""

import pytest
from integration.drill.aws.stage import BUCKET, HOME, RECOVERY, Stage
from integration.janitor.residue import refuse
from integration.rights import listen
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.drill.aws.clients import Regions
from steadfleet_activities.drill.aws.rights import drill_access, look_calls, make_calls
from steadfleet_ports.access import Access, AccessQuestion

SERVICES = {"elasticloadbalancing": "elbv2"}


@pytest.fixture
def regions(stage: Stage) -> Regions:
    return Regions.from_environment(stage.env)


async def inspect(regions: Regions, *recovery: str, vpc: str = "") -> Access:
    access = drill_access(regions, BUCKET, vpc)
    question = AccessQuestion(drills=True, recovery_regions=recovery)
    found: Access = await ActivityEnvironment().run(access.inspect_access, question)
    return found


def refuse_all(regions: Regions, region: str, actions: list[str]) -> None:
    aws = regions.at(region)
    for action in actions:
        prefix, _, operation = action.partition(":")
        refuse(getattr(aws, SERVICES.get(prefix, prefix)), operation, "AccessDenied")
        if prefix == "ec2":
            refuse(aws.once.ec2, operation, "AccessDenied")


async def test_a_driller_that_may_do_all_is_refused_nothing_and_has_done_nothing(
    stage: Stage, regions: Regions
) -> None:
    before, aws = stage.cloud.inventory(), regions.at(RECOVERY)
    asked = listen(aws.ec2, aws.once.ec2, aws.autoscaling, aws.elbv2, aws.rds, aws.route53)

    found = await inspect(regions, RECOVERY)

    assert (found.store_problem, found.refused, found.unclear) == ("", (), ())
    assert found.regions == (HOME, RECOVERY)
    assert stage.cloud.inventory() == before
    assert asked.keys() == {action.partition(":")[2] for action in (*look_calls(aws), *make_calls(aws))}
    assert all(asked.values()), asked


async def test_each_call_of_a_drill_that_is_not_allowed_is_named_as_what_is_called(regions: Regions) -> None:
    aws = regions.at(RECOVERY)
    actions = [*look_calls(aws), *make_calls(aws)]
    refuse_all(regions, RECOVERY, actions)

    found = await inspect(regions, RECOVERY)

    assert sorted(found.refused) == sorted(
        f"{action} in {RECOVERY} is refused (AccessDenied): allow it to the dr-drill worker's role "
        "(docs/aws.md)"
        for action in actions
    )


async def test_in_production_nothing_but_the_looks_is_tried(regions: Regions) -> None:
    refuse_all(regions, HOME, [*look_calls(regions.at_home), *make_calls(regions.at_home)])

    refused = (await inspect(regions, RECOVERY)).refused

    assert {one.split()[0] for one in refused} == set(look_calls(regions.at_home))


async def test_without_a_recovery_region_what_a_drill_makes_is_tried_in_the_workers_own(
    regions: Regions,
) -> None:
    refuse_all(regions, HOME, list(make_calls(regions.at_home)))

    refused = (await inspect(regions)).refused

    assert {one.split()[0] for one in refused} == set(make_calls(regions.at_home))


async def test_a_network_of_its_own_is_not_tried_where_a_vpc_was_prepared(regions: Regions) -> None:
    refuse_all(regions, RECOVERY, ["ec2:CreateVpc", "ec2:CreateSubnet"])

    assert (await inspect(regions, RECOVERY, vpc="vpc-1")).refused == ()
    assert len((await inspect(regions, RECOVERY)).refused) == 2

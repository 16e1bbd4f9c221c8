"""A janitor that may not delete says so before anything is made."""

import pytest
from integration.janitor.residue import HOME, OTHER, Site, refuse, sweep_of
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.lease import Sweep

DELETES = [
    "TerminateInstances",
    "DeleteVolume",
    "DeregisterImage",
    "DeleteSnapshot",
    "DeleteKeyPair",
    "DeleteSecurityGroup",
    "CreateTags",
    "DeleteLaunchTemplate",
    "RevokeSecurityGroupIngress",
    "RevokeSecurityGroupEgress",
    "DeleteSubnet",
    "DisassociateRouteTable",
    "DeleteRouteTable",
    "DetachInternetGateway",
    "DeleteInternetGateway",
    "DeleteVpc",
]


async def rehearse(janitor: AwsJanitor, sweep: Sweep) -> tuple[str, ...]:
    said: tuple[str, ...] = await ActivityEnvironment().run(janitor.rehearse_sweep, sweep)
    return said


async def test_a_janitor_that_may_do_all_is_refused_nothing_and_has_done_nothing(
    janitor: AwsJanitor, site: Site, cloud: LocalCloud
) -> None:
    site.plant()
    before, since = site.holdings(), int(cloud.record()[-1]["seq"])

    assert await rehearse(janitor, sweep_of()) == ()

    assert site.holdings() == before
    tried = {one["action"] for one in cloud.record(since) if one["kind"] == "call"}
    assert set(DELETES) <= tried


async def test_each_delete_that_is_not_allowed_is_named(janitor: AwsJanitor) -> None:
    for action in DELETES:
        refuse(janitor._at(HOME).ec2, action, "UnauthorizedOperation", count=1)

    said = await rehearse(janitor, sweep_of())

    assert sorted(said) == sorted(
        f"ec2:{action} in {HOME} is refused (UnauthorizedOperation): allow it to the janitor's role "
        "(docs/aws.md)"
        for action in DELETES
    )


async def test_a_look_that_is_not_allowed_is_named(janitor: AwsJanitor) -> None:
    refuse(janitor._at(HOME).ec2, "DescribeSnapshots", "UnauthorizedOperation")

    (said,) = await rehearse(janitor, sweep_of())

    assert said.startswith(f"to look at what there is in {HOME} is refused")


async def test_every_region_is_rehearsed(janitor: AwsJanitor) -> None:
    refuse(janitor._at(OTHER).ec2, "DeleteVolume", "UnauthorizedOperation")

    (said,) = await rehearse(janitor, sweep_of(HOME, OTHER))

    assert f"ec2:DeleteVolume in {OTHER}" in said


async def test_an_engine_that_is_needed_and_does_not_answer_is_named(cloud: LocalCloud) -> None:
    janitor = AwsJanitor(
        lambda region: pytest.fail("no region was asked for"), docker_host="tcp://127.0.0.1:9"
    )

    (said,) = await rehearse(janitor, Sweep(run="r", docker=True))

    assert said.startswith("no Docker engine answers at tcp://127.0.0.1:9")

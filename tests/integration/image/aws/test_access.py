"""The way into a build's machine: one group and one key, tagged at birth, gone at the end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.image.aws.workbench import RUN, Workbench
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import at_the_edge
from steadfleet_activities.image import tags
from steadfleet_core.errors import RefusedError


def doors(bench: Workbench) -> tuple[list[Any], list[Any]]:
    inventory = bench.cloud.inventory()
    return inventory["security_groups"], inventory["key_pairs"]


async def test_way_in_is_tagged_and_gone_afterwards(bench: Workbench, tmp_path: Path) -> None:
    before = bench.cloud.inventory()

    async with bench.platform.site(bench.order(), tmp_path) as site:
        (group,), (key,) = doors(bench)
        marks = tags.temporary(bench.build())
        assert (group["name"], group["tags"]) == (RUN, marks)
        assert (key["name"], key["tags"]) == (RUN, marks)
        assert site.variables["security_group_id"] == group["id"]
        assert site.variables["ssh_keypair_name"] == RUN
        assert site.variables["expires_at"] == "2026-11-21T20:00:00+00:00"
        _assert_private(Path(site.variables["ssh_private_key_file"]))

    assert bench.cloud.inventory() == before


def _assert_private(key: Path) -> None:
    assert key.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert key.stat().st_mode & 0o777 == 0o600


async def test_only_ssh_from_the_vpc_is_let_in(bench: Workbench, tmp_path: Path) -> None:
    async with bench.platform.site(bench.order(), tmp_path) as site:
        (group,) = bench.regions.at_home.ec2.describe_security_groups(
            GroupIds=[site.variables["security_group_id"]]
        )["SecurityGroups"]
        network = bench.platform._networks.chosen({})

    assert [
        (rule["FromPort"], rule["ToPort"], rule["IpRanges"][0]["CidrIp"]) for rule in group["IpPermissions"]
    ] == [(22, 22, network.addresses[0])]


async def test_callers_named_are_let_in_instead_of_the_vpc(bench: Workbench, tmp_path: Path) -> None:
    platform = bench.make(callers=["192.0.2.7/32", "192.0.2.8/32"])

    async with platform.site(bench.order(), tmp_path) as site:
        (group,) = bench.regions.at_home.ec2.describe_security_groups(
            GroupIds=[site.variables["security_group_id"]]
        )["SecurityGroups"]

    let_in = {one["CidrIp"] for rule in group["IpPermissions"] for one in rule["IpRanges"]}
    assert let_in == {"192.0.2.7/32", "192.0.2.8/32"}


@pytest.mark.parametrize("kind", ["lost", "error"])
@pytest.mark.parametrize(
    "action", ["CreateSecurityGroup", "ImportKeyPair", "AuthorizeSecurityGroupIngress", "DeleteKeyPair"]
)
async def test_unclear_answer_doubles_nothing_and_leaves_nothing(
    bench: Workbench, tmp_path: Path, kind: str, action: str
) -> None:
    before = bench.cloud.inventory()
    fault = bench.cloud.add_fault(kind, action=action, count=1)

    for attempt in ("first", "second"):
        (tmp_path / attempt).mkdir()
        try:
            with at_the_edge("building"):
                async with bench.platform.site(bench.order(), tmp_path / attempt):
                    groups, keys = doors(bench)
                    assert (len(groups), len(keys)) == (1, 1)
        except ApplicationError as error:
            if error.non_retryable or attempt == "second":
                raise
        assert bench.cloud.inventory() == before

    assert fault.struck == 1


async def test_attempt_after_a_dead_worker_takes_over_its_group_and_replaces_its_key(
    bench: Workbench, tmp_path: Path
) -> None:
    network = bench.platform._networks.chosen({})
    dead = bench.platform._doors.open(bench.build(), network)

    alive = bench.platform._doors.open(bench.build(), network)

    groups, keys = doors(bench)
    assert (len(groups), len(keys)) == (1, 1)
    assert alive.security_group == dead.security_group
    assert alive.private_key != dead.private_key


async def test_key_of_somebody_else_is_not_taken_for_ours(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion may be slow to be seen: the old key is still there, and nobody has its other half."""
    network = bench.platform._networks.chosen({})
    bench.platform._doors.open(bench.build(), network)
    monkeypatch.setattr(bench.regions.at_home.ec2, "delete_key_pair", lambda **_: {})

    with pytest.raises(ClientError, match="Duplicate"):
        bench.platform._doors.open(bench.build(), network)


async def test_cancel_closes_the_way_in(bench: Workbench, tmp_path: Path) -> None:
    before = bench.cloud.inventory()
    opened = asyncio.Event()

    async def building() -> None:
        async with bench.platform.site(bench.order(), tmp_path):
            opened.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(building())
    await opened.wait()
    fault = bench.cloud.add_fault("hold", action="DeleteKeyPair", when="before", count=1)
    task.cancel()
    await asyncio.to_thread(bench.cloud.faults.await_held, fault.id)
    task.cancel()  # an impatient person aborts again while it is being undone
    bench.cloud.release(fault)

    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.cloud.inventory() == before


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"vpc_id": "vpc-1"}, "vpc_id is given and subnet_id is not"),
        ({"subnet_id": "subnet-0123456789abcdef0"}, "there is no subnet subnet-0123456789abcdef0"),
    ],
)
async def test_network_that_is_not_there_is_refused(
    bench: Workbench, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        await bench.platform.check(frozenset({"endpoint"}), variables)


async def test_subnet_of_another_vpc_is_refused(bench: Workbench) -> None:
    subnet = bench.platform._networks.chosen({}).subnet

    with pytest.raises(RefusedError, match="expected one of vpc_id vpc-0"):
        await bench.platform.check(frozenset({"endpoint"}), {"vpc_id": "vpc-0", "subnet_id": subnet})


async def test_network_named_is_where_the_group_is(bench: Workbench, tmp_path: Path) -> None:
    ec2 = bench.regions.at_home.ec2
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]

    async with bench.platform.site(bench.order(subnet_id=subnet), tmp_path) as site:
        assert (site.variables["vpc_id"], site.variables["subnet_id"]) == (vpc, subnet)
        assert doors(bench)[0][0]["vpc"] == vpc


async def test_local_cloud_needs_a_template_that_can_be_told_of_it(bench: Workbench) -> None:
    with pytest.raises(RefusedError, match="has no variable endpoint: it would build at AWS itself"):
        await bench.platform.check(frozenset(), {})


async def test_packer_is_given_awss_own_variables_and_nothing_else(bench: Workbench, tmp_path: Path) -> None:
    environment = {"AWS_PROFILE": "builder", "TEMPORAL_API_KEY": "secret", "HOME": "/nowhere"}

    async with bench.make(environment=environment).site(bench.order(), tmp_path) as site:
        assert site.environment.keys() == {"AWS_PROFILE", "AWS_REGION", "AWS_SDK_LOAD_CONFIG"}
        assert site.variables["endpoint"] == bench.cloud.endpoint

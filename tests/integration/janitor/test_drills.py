"""What a drill left in its recovery region is found and taken away; what serves there stays."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.janitor.drills import (
    DRILL_RUN,
    PLANTED,
    REGION,
    Recovery,
    drill_sweep,
    drill_tags,
    janitor_here,
    strike,
)
from integration.janitor.residue import tags_of, types
from moto import mock_aws
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.janitor.found import Found
from steadfleet_activities.janitor.inventory import LOOKS
from steadfleet_activities.janitor.removal import STAGES, Removal
from steadfleet_activities.janitor.scope import Kind, Scope, Thing
from steadfleet_activities.janitor.zones import Zones
from steadfleet_ports.lease import Residue

ENGINE_ONLY = {Kind.CONTAINER, Kind.NETWORK}


@pytest.fixture
def recovery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recovery]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # a thousand, which nobody launches
    with mock_aws():
        yield Recovery()


@pytest.fixture
def janitor(recovery: Recovery) -> AwsJanitor:
    return janitor_here()


async def find(janitor: AwsJanitor) -> Residue:
    found: Residue = await ActivityEnvironment().run(janitor.find_residue, drill_sweep())
    return found


async def sweep(janitor: AwsJanitor) -> Residue:
    swept: Residue = await ActivityEnvironment().run(janitor.sweep_run, drill_sweep())
    return swept


async def test_all_that_a_drill_makes_is_found_and_removed(janitor: AwsJanitor, recovery: Recovery) -> None:
    recovery.plant("drill-other-ffff")
    before = recovery.holdings()
    recovery.plant()

    found = await find(janitor)
    swept = await sweep(janitor)

    counted = Counter(types(found.left))
    assert {kind: counted[kind] for kind in PLANTED} == PLANTED
    assert swept.left == ()
    assert {(one.type, one.id) for one in swept.removed} >= {(one.type, one.id) for one in found.left}
    assert recovery.holdings() == before
    assert await find(janitor) == Residue()


async def test_a_janitor_that_looks_past_one_type_is_noticed(
    janitor: AwsJanitor, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutants: each is blind to one room of the house, and what is left tells of it."""
    recovery.plant()
    everything = set(types((await find(janitor)).left))
    hidden: set[str] = set()
    for blind in LOOKS:
        with monkeypatch.context() as mutated:
            mutated.setitem(LOOKS, blind, lambda *_looked: None)
            missed = everything - set(types((await find(janitor)).left))
        assert missed, f"nothing is found by the look at {blind}"
        hidden |= missed
    with monkeypatch.context() as mutated:
        mutated.setattr(Zones, "look", lambda *_looked: Found())
        hidden |= everything - set(types((await find(janitor)).left))

    assert hidden == set(PLANTED) - {"instance", "security group"}


async def test_what_is_refused_is_left_with_its_reason_and_keeps_nothing_else(
    janitor: AwsJanitor, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted fault in three types on which no other hangs; all else is gone before it gives up."""
    skipped = ["DB snapshot", "hosted zone", "launch template"]
    before = recovery.holdings()
    recovery.plant()
    real = Removal._call

    def refusing(self: Any, thing: Thing) -> object:
        if thing.kind in skipped:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "said the test"}}, thing.kind)
        return real(self, thing)

    monkeypatch.setattr(Removal, "_call", refusing)

    swept = await sweep(janitor)
    after = recovery.holdings()

    assert sorted(set(types(swept.left))) == skipped
    assert {one.why for one in swept.left} == {"AccessDenied: said the test"}
    assert sorted(kind for kind in after if after[kind] != before[kind]) == skipped


def test_every_type_of_aws_has_its_delete_and_its_place_in_the_order(janitor: AwsJanitor) -> None:
    staged = [kind for stage in STAGES for kind in stage]

    assert sorted(staged) == sorted(set(Kind) - ENGINE_ONLY)
    assert set(Removal(janitor._at(REGION), Zones(janitor._at(REGION)))._calls) == set(staged)


async def test_what_may_serve_stays_and_is_told(janitor: AwsJanitor, recovery: Recovery) -> None:
    """A database, a balancer and a group that neither expire nor are a drill's copy."""
    serving = tags_of(DRILL_RUN, expires_in=None)
    vpc, subnets, _ = recovery._network({})
    targets = recovery._balancer("shop", serving, subnets)
    recovery.client("elbv2").remove_tags(ResourceArns=[targets], TagKeys=["steadfleet:run"])
    recovery.group("shop", tags_of(DRILL_RUN), subnets[0], targets)
    recovery.database("shop", serving)
    before = recovery.holdings()

    swept = await sweep(janitor)

    assert {(one.type, one.id.split("/")[-1]) for one in swept.removed} == {
        (one.type, one.id) for one in swept.removed if one.type == "launch template"
    }
    why = {one.type: one.why for one in swept.spared}
    assert why["DB instance"] == why["load balancer"]
    assert "no tag steadfleet:expires-at" in why["DB instance"]
    assert "no tag steadfleet:drill" in why["Auto Scaling group"]
    assert "a member of group shop" in why["instance"]
    assert {**recovery.holdings(), "launch template": []} == {**before, "launch template": []}
    assert vpc in before["VPC"]


async def test_a_drills_machine_is_a_copy_though_it_never_expires(
    janitor: AwsJanitor, recovery: Recovery
) -> None:
    recovery.plant(expires_in=None)

    swept = await sweep(janitor)

    assert swept.spared == ()
    assert swept.left == ()


async def test_a_zone_without_a_tag_is_found_by_its_name_or_by_its_callers_reference(
    janitor: AwsJanitor, recovery: Recovery
) -> None:
    vpc = recovery.vpc({})
    ours = [
        recovery.zone(f"{DRILL_RUN}.internal", vpc, "one", {}),
        recovery.zone("shop.internal", vpc, DRILL_RUN, {}),
    ]
    theirs = [
        recovery.zone(f"{DRILL_RUN}-2.internal", vpc, "two", {}),
        recovery.zone(f"{DRILL_RUN}.internal", vpc, "three", drill_tags("drill-other-ffff")),
        recovery.zone("db.internal", vpc, f"{DRILL_RUN}-2", {}),
    ]

    swept = await sweep(janitor)

    assert sorted(one.id for one in swept.removed) == sorted(ours)
    assert {one.region for one in swept.removed} == {"global"}
    assert recovery.holdings()["hosted zone"] == sorted(f"/hostedzone/{zone}" for zone in theirs)


async def test_a_public_zone_is_never_touched(janitor: AwsJanitor, recovery: Recovery) -> None:
    route53 = recovery.client("route53")
    made = route53.create_hosted_zone(Name=f"{DRILL_RUN}.example", CallerReference=DRILL_RUN)

    assert await sweep(janitor) == Residue()

    assert recovery.holdings()["hosted zone"] == [made["HostedZone"]["Id"]]


async def test_a_zone_is_looked_for_once_whatever_the_regions(
    janitor: AwsJanitor, recovery: Recovery
) -> None:
    recovery.zone(f"{DRILL_RUN}.internal", recovery.vpc({}), "one", {})

    found = await janitor.find(Scope(run=DRILL_RUN), (REGION, "eu-west-1"), docker=False)

    assert types(found.left) == ["hosted zone"]


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("rds", "DeleteDBInstance", "AccessDenied"),
        ("rds", "DeleteDBInstance", "InvalidDBInstanceState"),
        ("ec2", "DeleteVpc", "DependencyViolation"),
        ("route53", "DeleteHostedZone", "AccessDenied"),
        ("route53", "ChangeResourceRecordSets", "InvalidChangeBatch"),
    ],
)
async def test_a_delete_that_fails_is_left_with_its_reason(
    recovery: Recovery, service: str, operation: str, code: str
) -> None:
    janitor = janitor_here(patience=timedelta(0), slow_patience=timedelta(0))
    match service:
        case "rds":
            recovery.database("shop", drill_tags())
        case "ec2":
            recovery.vpc(drill_tags())
        case _:
            recovery.zone(f"{DRILL_RUN}.internal", recovery.vpc({}), "one", {})
    strike(getattr(janitor._at(REGION), service), operation, code)

    swept = await sweep(janitor)

    assert [one.why for one in swept.left] == [f"{code}: said the test"]
    assert swept.removed == ()


async def test_a_database_that_takes_its_time_is_waited_for_and_not_asked_twice(
    janitor: AwsJanitor, recovery: Recovery
) -> None:
    recovery.database("shop", drill_tags())
    rds, asked = janitor._at(REGION).rds, []
    statuses = iter(["available", "deleting", "deleting"])

    def described(parsed: dict[str, Any], **_call: Any) -> None:
        parsed["DBInstances"] = [
            {**one, "DBInstanceStatus": status} for one in kept if (status := next(statuses, "")) != ""
        ]

    kept = recovery.client("rds").describe_db_instances()["DBInstances"]
    rds.meta.events.register("after-call.rds.DescribeDBInstances", described)
    rds.meta.events.register("before-call.rds.DeleteDBInstance", lambda **call: asked.append(call["params"]))

    swept = await sweep(janitor)

    assert types(swept.removed) == ["DB instance"]
    (params,) = asked
    assert params["body"]["SkipFinalSnapshot"] == "true"
    assert params["body"]["DeleteAutomatedBackups"] == "true"


async def test_a_database_that_never_goes_is_left_as_being_deleted(
    recovery: Recovery,
) -> None:
    janitor = janitor_here(patience=timedelta(0), slow_patience=timedelta(seconds=1))
    recovery.database("shop", drill_tags())

    def described(parsed: dict[str, Any], **_call: Any) -> None:
        for one in parsed["DBInstances"]:
            one["DBInstanceStatus"] = "deleting"

    janitor._at(REGION).rds.meta.events.register("after-call.rds.DescribeDBInstances", described)

    swept = await sweep(janitor)

    assert [(one.id, one.why) for one in swept.left] == [("shop", "it is still being deleted")]


async def test_groups_that_name_each_other_lose_those_rules_first(
    janitor: AwsJanitor, recovery: Recovery
) -> None:
    """Moto deletes a group that another names, which AWS refuses: so the calls are looked at."""
    recovery.security_groups(recovery.vpc({}), drill_tags())
    calls: list[str] = []
    for name in ("RevokeSecurityGroupIngress", "DeleteSecurityGroup"):
        janitor._at(REGION).ec2.meta.events.register(
            f"before-call.ec2.{name}", lambda model, **_call: calls.append(model.name)
        )

    swept = await sweep(janitor)

    assert swept.left == ()
    assert calls[:2] == ["RevokeSecurityGroupIngress", "DeleteSecurityGroup"]


async def test_what_a_drill_left_is_found_by_its_expiry_alone(
    janitor: AwsJanitor, recovery: Recovery
) -> None:
    """As `steadfleet sweep` looks. A zone that nobody tagged does not say when it expires."""
    recovery.plant(expires_in=timedelta(hours=-1))

    swept = await janitor.remove(Scope(expired_before=datetime.now(UTC)), (REGION,), docker=False)

    assert swept.left == ()
    assert {kind for kind in PLANTED if kind not in types(swept.removed)} == set()
    assert len(recovery.holdings()["hosted zone"]) == 1


async def test_a_service_that_may_not_be_looked_at_is_named_before_a_drill_begins(
    janitor: AwsJanitor, recovery: Recovery
) -> None:
    """RDS, Auto Scaling, load balancers and Route 53 have no dry run: the look is what can be tried."""
    aws = janitor._at(REGION)
    strike(aws.rds, "DescribeDBSnapshots", "AccessDenied")
    strike(aws.elbv2, "DescribeTargetGroups", "AccessDenied")
    strike(aws.route53, "ListHostedZones", "AccessDenied")

    said = await ActivityEnvironment().run(janitor.rehearse_sweep, drill_sweep())

    assert [one.split(" is refused")[0] for one in said] == [
        f"to look at load balancers in {REGION}",
        f"to look at databases in {REGION}",
        "to look at private hosted zones in global",
    ]

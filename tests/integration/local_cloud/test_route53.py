"""Hosted zones made with plain boto3, asked over DNS."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import boto3
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from steadfleet_local_cloud import LocalCloud

HOME, OTHER = "eu-west-1", "eu-central-1"
_NUMBER = count(1)


class Names:
    """One cloud for all tests, and a hosted zone for each."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        config = Config(retries={"total_max_attempts": 1})
        self.api = boto3.client("route53", **cloud.client_settings, config=config)

    def zone(self, name: str, **options: Any) -> str:
        made = self.api.create_hosted_zone(Name=name, CallerReference=str(next(_NUMBER)), **options)
        return str(made["HostedZone"]["Id"])

    def private_zone(self, name: str, region: Any) -> str:
        ec2 = boto3.client("ec2", **self.cloud.client_settings_for(region))
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        return self.zone(
            name, VPC={"VPCRegion": region, "VPCId": vpc}, HostedZoneConfig={"PrivateZone": True}
        )

    def change(self, zone: str, *changes: tuple[Any, str, Any, dict[str, Any]]) -> None:
        """Change records: action, name, type, and TTL with values, or all else that a record set has."""
        told: Any = [
            {"Action": action, "ResourceRecordSet": {"Name": name, "Type": kind, **rest}}
            for action, name, kind, rest in changes
        ]
        self.api.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": told})

    def ask(
        self, name: str, kind: str = "A", *, tcp: bool = False, source: str | None = None
    ) -> dns.message.Message:
        query = dns.message.make_query(name, kind, use_edns=True)
        address, port = self.cloud.resolver
        if tcp:
            return dns.query.tcp(query, address, timeout=5, port=port)
        return dns.query.udp(query, address, timeout=5, port=port, source=source)

    def found(self, name: str, kind: str = "A") -> list[str]:
        """Give all that was answered, each as name, TTL and value."""
        return [
            f"{rrset.name} {rrset.ttl} {data.to_text()}"
            for rrset in self.ask(name, kind).answer
            for data in sorted(rrset)
        ]

    def address_in(self, region: str) -> str:
        """Give an address from which a machine of the region would ask."""
        ec2 = boto3.client("ec2", **self.cloud.client_settings_for(region))
        return str(ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"]).replace(".0.0/16", ".0.9")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Names]:
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(state=folder, regions=(HOME, OTHER), machines="none") as cloud:
        yield Names(cloud)


def values(ttl: int, *told: str) -> dict[str, Any]:
    return {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in told]}


def weighted(identifier: str, weight: int, address: str) -> dict[str, Any]:
    return {"SetIdentifier": identifier, "Weight": weight, **values(5, address)}


def test_a_record_is_answered_as_soon_as_its_change_is(names: Names) -> None:
    zone = names.zone("at-once.test")
    names.change(zone, ("CREATE", "app.at-once.test", "A", values(7, "127.1.0.1", "127.1.0.2")))
    assert names.found("APP.at-once.test") == [
        "APP.at-once.test. 7 127.1.0.1",
        "APP.at-once.test. 7 127.1.0.2",
    ]

    names.change(zone, ("UPSERT", "app.at-once.test", "A", values(8, "127.1.0.3")))
    assert names.found("app.at-once.test") == ["app.at-once.test. 8 127.1.0.3"]

    names.change(zone, ("DELETE", "app.at-once.test", "A", values(8, "127.1.0.3")))
    assert names.ask("app.at-once.test").rcode() is dns.rcode.NXDOMAIN


def test_whoever_finds_the_cloud_finds_the_resolver(names: Names) -> None:
    told = httpx.get(f"{names.cloud.endpoint}/_local/health").json()

    assert told["resolver"] == "{}:{}".format(*names.cloud.resolver)


def test_text_and_chains_of_names_are_followed(names: Names) -> None:
    zone = names.zone("chains.test")
    names.change(
        zone,
        ("CREATE", "chains.test", "TXT", values(9, '"role=primary" "b"')),
        ("CREATE", "app.chains.test", "CNAME", values(3, "site.chains.test")),
        ("CREATE", "site.chains.test", "CNAME", values(4, "one.chains.test.")),
        ("CREATE", "one.chains.test", "A", values(5, "127.1.0.1")),
        ("CREATE", "*.wild.chains.test", "A", values(6, "127.1.0.2")),
        ("CREATE", "circle.chains.test", "CNAME", values(1, "circle.chains.test")),
        ("CREATE", "away.chains.test", "CNAME", values(1, "elsewhere.example")),
    )

    assert names.found("chains.test", "TXT") == ['chains.test. 9 "role=primary" "b"']
    assert names.found("app.chains.test") == [
        "app.chains.test. 3 site.chains.test.",
        "site.chains.test. 4 one.chains.test.",
        "one.chains.test. 5 127.1.0.1",
    ]
    assert names.found("app.chains.test", "CNAME") == ["app.chains.test. 3 site.chains.test."]
    assert names.found("any.wild.chains.test") == ["any.wild.chains.test. 6 127.1.0.2"]
    assert names.ask("circle.chains.test").rcode() is dns.rcode.SERVFAIL
    assert names.ask("away.chains.test").rcode() is dns.rcode.SERVFAIL, "where it leads is not known here"


def test_no_such_name_is_told_from_no_such_data_and_from_no_such_zone(names: Names) -> None:
    names.change(names.zone("nothing.test"), ("CREATE", "a.b.nothing.test", "A", values(5, "127.1.0.1")))

    no_name, no_data = names.ask("c.nothing.test"), names.ask("a.b.nothing.test", "TXT")
    assert (no_name.rcode(), no_data.rcode()) == (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)
    for answer in (no_name, no_data, names.ask("b.nothing.test")):
        assert answer.answer == []
        assert [rrset.to_text().split()[3] for rrset in answer.authority] == ["SOA"]
        assert answer.flags & dns.flags.AA
    assert names.ask("b.nothing.test").rcode() is dns.rcode.NOERROR, "a name between two is there"
    outside = names.ask("elsewhere.example")
    assert outside.rcode() is dns.rcode.REFUSED
    assert "in no hosted zone" in outside.options[0].to_text()
    assert names.ask("gone-1.eu-west-1.elb.amazonaws.com").rcode() is dns.rcode.NXDOMAIN


def test_a_long_answer_is_cut_and_comes_whole_over_tcp(names: Names) -> None:
    many = [f"127.2.{number}.1" for number in range(200)]
    names.change(names.zone("long.test"), ("CREATE", "long.test", "A", values(5, *many)))

    assert names.ask("long.test").flags & dns.flags.TC
    assert len(names.ask("long.test", tcp=True).answer[0]) == len(many)


def test_weights_share_out_the_answers(names: Names) -> None:
    zone = names.zone("shared.test")
    names.change(
        zone,
        ("CREATE", "shared.test", "A", weighted("old", 3, "127.1.0.1")),
        ("CREATE", "shared.test", "A", weighted("new", 1, "127.1.0.2")),
        ("CREATE", "shared.test", "A", weighted("off", 0, "127.1.0.3")),
    )
    given = [names.found("shared.test")[0].split()[-1] for _ in range(200)]
    assert set(given) == {"127.1.0.1", "127.1.0.2"}
    assert given.count("127.1.0.1") > given.count("127.1.0.2")

    names.change(zone, ("UPSERT", "shared.test", "A", weighted("old", 0, "127.1.0.1")))
    assert {names.found("shared.test")[0].split()[-1] for _ in range(20)} == {"127.1.0.2"}

    names.change(zone, ("DELETE", "shared.test", "A", weighted("new", 1, "127.1.0.2")))
    assert len({names.found("shared.test")[0].split()[-1] for _ in range(50)}) == 2, (
        "all weigh nothing: alike"
    )


def test_a_change_is_made_as_a_whole_or_not_at_all(names: Names) -> None:
    zone = names.zone("whole.test")
    names.change(zone, ("CREATE", "a.whole.test", "A", values(5, "127.1.0.1")))
    before = names.cloud.inventory()

    refused: list[tuple[str, tuple[Any, str, Any, dict[str, Any]]]] = [
        ("already exists", ("CREATE", "a.whole.test", "A", values(5, "127.1.0.2"))),
        ("do not match", ("DELETE", "a.whole.test", "A", values(5, "127.1.0.2"))),
        ("was not found", ("DELETE", "b.whole.test", "A", values(5, "127.1.0.2"))),
        ("not permitted in zone", ("CREATE", "a.notwhole.test", "A", values(5, "127.1.0.2"))),
        ("not permitted beside", ("CREATE", "a.whole.test", "CNAME", values(5, "b.test"))),
        ("malformed", ("CREATE", "b.whole.test", "A", values(5, "app.test"))),
        ("all simple", ("CREATE", "a.whole.test", "A", weighted("one", 1, "127.1.0.2"))),
        (
            "does not answer latency",
            ("CREATE", "b.whole.test", "A", {**weighted("one", 1, "127.1.0.2"), "Region": HOME}),
        ),
        (
            "health-checked",
            ("CREATE", "b.whole.test", "A", {**weighted("one", 1, "127.1.0.2"), "HealthCheckId": "1"}),
        ),
        (
            "was not found there",
            (
                "CREATE",
                "b.whole.test",
                "A",
                {"AliasTarget": {"HostedZoneId": "Z", "DNSName": "lb.test", "EvaluateTargetHealth": False}},
            ),
        ),
    ]
    for reason, change in refused:
        with pytest.raises(ClientError, match=reason):
            names.change(zone, ("CREATE", "new.whole.test", "A", values(5, "127.1.0.9")), change)

    assert names.ask("new.whole.test").rcode() is dns.rcode.NXDOMAIN
    assert names.found("a.whole.test") == ["a.whole.test. 5 127.1.0.1"]
    assert names.cloud.inventory() == before


def test_a_private_zone_is_seen_in_its_vpc_and_hides_the_public_one(names: Names) -> None:
    names.change(names.zone("split.test"), ("CREATE", "db.split.test", "A", values(5, "127.1.0.1")))
    here = names.private_zone("split.test", HOME)
    names.change(here, ("CREATE", "db.split.test", "A", values(5, "127.1.0.2")))

    def from_region(region: str) -> str:
        return str(names.ask("db.split.test", source=names.address_in(region)).answer[0][0])

    assert (from_region(HOME), from_region(OTHER)) == ("127.1.0.2", "127.1.0.1")
    assert names.found("db.split.test")[0].endswith(" 127.1.0.2")

    there = names.private_zone("split.test", OTHER)
    names.change(there, ("CREATE", "db.split.test", "A", values(5, "127.1.0.3")))
    assert (from_region(HOME), from_region(OTHER)) == ("127.1.0.2", "127.1.0.3")
    unclear = names.ask("db.split.test")
    assert unclear.rcode() is dns.rcode.SERVFAIL, "from outside it could be either"
    assert "ask from an address of the region" in unclear.options[0].to_text()


def test_a_hosted_zone_is_made_once_by_its_reference(names: Names) -> None:
    names.api.create_hosted_zone(Name="once.test", CallerReference="once")

    with pytest.raises(ClientError, match="HostedZoneAlreadyExists"):
        names.api.create_hosted_zone(Name="once.test", CallerReference="once")


def test_a_change_can_fail_and_a_lost_answer_has_taken_effect(names: Names) -> None:
    zone = names.zone("fault.test")
    change: tuple[Any, str, Any, dict[str, Any]] = ("UPSERT", "fault.test", "A", values(5, "127.1.0.1"))

    names.cloud.add_fault("error", action="ChangeResourceRecordSets", count=1)
    with pytest.raises(ClientError, match="InternalFailure"):
        names.change(zone, change)
    assert names.found("fault.test") == []

    names.cloud.add_fault("lost", action="ChangeResourceRecordSets", count=1)
    with pytest.raises(ConnectionClosedError, match="Connection was closed"):
        names.change(zone, change)
    assert names.found("fault.test") == ["fault.test. 5 127.1.0.1"]
    names.cloud.clear_faults()


def test_a_dark_resolver_is_silent_until_the_fault_is_cleared(names: Names) -> None:
    names.change(names.zone("dark.test"), ("CREATE", "dark.test", "A", values(5, "127.1.0.1")))
    query, (address, port) = dns.message.make_query("dark.test", "A"), names.cloud.resolver

    fault = names.cloud.add_fault("dark-resolver")
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(query, address, timeout=0.2, port=port)
    names.cloud.clear_faults(fault)

    assert fault.struck == 1
    assert names.found("dark.test") == ["dark.test. 5 127.1.0.1"]


def test_zones_and_every_change_in_them_show_until_they_are_gone(names: Names) -> None:
    before = names.cloud.inventory()
    zone = names.zone("shown.test")
    names.api.change_tags_for_resource(
        ResourceType="hostedzone",
        ResourceId=zone.rpartition("/")[2],
        AddTags=[{"Key": "run", "Value": "r-1"}],
    )
    made = names.cloud.inventory()
    (shown,) = [one for one in made["hosted_zones"] if one["name"] == "shown.test."]
    assert shown["tags"] == {"run": "r-1"}

    names.change(zone, ("CREATE", "a.shown.test", "A", values(5, "127.1.0.1")))
    first = names.cloud.inventory()
    names.change(zone, ("UPSERT", "a.shown.test", "A", values(5, "127.1.0.2")))
    assert len({str(one["record_sets"]) for one in (made, first, names.cloud.inventory())}) == 3
    names.change(zone, ("UPSERT", "a.shown.test", "A", values(5, "127.1.0.1")))
    assert names.cloud.inventory() == first, "a record put back is the same again"

    names.change(zone, ("DELETE", "a.shown.test", "A", values(5, "127.1.0.1")))
    names.api.delete_hosted_zone(Id=zone)
    assert names.cloud.inventory() == before
    assert names.ask("a.shown.test").rcode() is dns.rcode.REFUSED

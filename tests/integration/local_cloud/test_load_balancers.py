"""Load balancers made with plain boto3, asked through the names that they are given."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import dns.message
import dns.query
import dns.rcode
import httpx
import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud

HOME, OTHER = "eu-west-1", "eu-central-1"
PORT = 8081


class Stage:
    """A region that nothing is in yet, apart from an image."""

    def __init__(self, cloud: LocalCloud, region: str) -> None:
        self.cloud = cloud
        self.aws = Aws(cloud.endpoint, region)
        self.image = cloud.register_image("web-1.0", RELEASES / "good-1.0", region=region)

    def balancer(self, name: str, **options: Any) -> Any:
        made = self.aws.balancing.create_load_balancer(
            Name=name, Subnets=list(self.aws.subnets().values()), **options
        )
        return made["LoadBalancers"][0]

    def listener(self, balancer: Any, group: str, protocol: Any = "HTTP", **options: Any) -> str:
        asked: dict[str, Any] = {
            "Port": PORT,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        }
        made = self.aws.balancing.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol=protocol, **asked | options
        )
        return made["Listeners"][0]["ListenerArn"]

    def register(self, group: str, *instances: str) -> None:
        self.aws.balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in instances])

    def addresses(self, name: str) -> list[str]:
        """Ask the cloud's resolver."""
        address, port = self.cloud.resolver
        answer = dns.query.udp(dns.message.make_query(name, "A"), address, timeout=5, port=port)
        assert answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}
        return [str(data) for rrset in answer.answer for data in rrset]

    def ask(self, name: str, path: str = "/healthz", port: int = PORT, **options: Any) -> httpx.Response:
        (address,) = self.addresses(name)
        return httpx.get(f"http://{address}:{port}{path}", timeout=10, **options)

    def answering(self, name: str, seen: int = 12) -> set[str]:
        """Name the instances that answer so many requests over one client."""
        (address,) = self.addresses(name)
        with httpx.Client(timeout=10) as client:
            answers = [client.get(f"http://{address}:{PORT}/healthz") for _ in range(seen)]
        return {json.loads(answer.content).get("instance_id", "") for answer in answers if answer.is_success}

    def until_healthy(self, group: str, *instances: str) -> None:
        until(
            lambda: {one for one, told in self.aws.health(group).items() if told[0] == "healthy"},
            set(instances).__eq__,
        )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(state=folder, regions=(HOME, OTHER), probe_scale=0.05) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def home(cloud: LocalCloud) -> Stage:
    return Stage(cloud, HOME)


def test_a_service_made_from_nothing_in_a_second_region_answers_by_its_name(cloud: LocalCloud) -> None:
    there = Stage(cloud, OTHER)
    before = cloud.inventory()
    group = there.aws.target_group(Name="service")
    balancer = there.balancer("service", Tags=[{"Key": "run", "Value": "r-1"}])
    there.listener(balancer, group, Tags=[{"Key": "run", "Value": "r-1"}])
    there.aws.group(there.image, 2, target_groups=(group,))
    dns_api = boto3.client("route53", **cloud.client_settings)
    zone = dns_api.create_hosted_zone(Name="service.test", CallerReference="1")["HostedZone"]["Id"]
    alias: Any = {
        "Name": "app.service.test",
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": balancer["CanonicalHostedZoneId"],
            "DNSName": f"dualstack.{balancer['DNSName']}",
            "EvaluateTargetHealth": True,
        },
    }
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": alias}]}
    dns_api.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)  # type: ignore[arg-type]

    there.until_healthy(group, *there.aws.members())

    assert there.answering("app.service.test") == set(there.aws.members())
    assert there.addresses("app.service.test") == there.addresses(balancer["DNSName"])
    shown = cloud.inventory()
    assert [(one["region"], one["tags"]) for one in shown["load_balancers"]] == [(OTHER, {"run": "r-1"})]
    assert [(one["port"], one["tags"]) for one in shown["listeners"]] == [(PORT, {"run": "r-1"})]

    there.aws.scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    assert there.ask("app.service.test").status_code == 503
    there.aws.balancing.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    assert there.addresses("app.service.test") == there.addresses(balancer["DNSName"]) == []
    there.aws.balancing.delete_target_group(TargetGroupArn=group)
    there.aws.ec2.delete_launch_template(LaunchTemplateName="web")
    batch["Changes"][0]["Action"] = "DELETE"
    dns_api.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)  # type: ignore[arg-type]
    dns_api.delete_hosted_zone(Id=zone)
    assert cloud.inventory() == before


def test_nothing_is_forwarded_to_the_ill_or_the_stopped(home: Stage) -> None:
    group = home.aws.target_group(Name="picky")
    balancer = home.balancer("picky")
    home.listener(balancer, group)
    ill = home.cloud.register_image("bad-500", RELEASES / "bad-500")
    good, stopped = home.aws.launch(home.image, 2)
    (bad,) = home.aws.launch(ill)
    assert home.ask(balancer["DNSName"]).status_code == 503, "no target at all"
    home.register(group, bad)
    until(lambda: home.aws.health(group)[bad][0], "unhealthy".__eq__)
    assert home.ask(balancer["DNSName"]).status_code == 503, "it would answer, but it is ill"

    home.register(group, good, stopped)
    until(lambda: {home.aws.health(group)[one][0] for one in (good, stopped)}, {"healthy"}.__eq__)
    assert home.answering(balancer["DNSName"]) == {good, stopped}

    home.aws.ec2.stop_instances(InstanceIds=[stopped])
    assert home.answering(balancer["DNSName"]) == {good}
    home.aws.ec2.terminate_instances(InstanceIds=[good])
    assert home.ask(balancer["DNSName"]).status_code == 503
    home.aws.ec2.terminate_instances(InstanceIds=[stopped, bad])


def test_a_target_that_hangs_is_a_bad_gateway_or_a_timeout_and_then_ill(home: Stage) -> None:
    group = home.aws.target_group(Name="hung", HealthCheckIntervalSeconds=300)
    balancer = home.balancer("hung")
    home.aws.balancing.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "1"}],
    )
    home.listener(balancer, group)
    (instance,) = home.aws.launch(home.image)
    until(lambda: _up(home, instance))
    home.register(group, instance)
    home.until_healthy(group, instance)

    fault = home.cloud.add_fault("dark-zone", zone="eu-west-1a")
    assert home.ask(balancer["DNSName"]).status_code == 504
    home.cloud.clear_faults(fault)
    assert home.ask(balancer["DNSName"]).is_success
    home.aws.ec2.terminate_instances(InstanceIds=[instance])


def test_a_network_load_balancer_carries_bytes_or_closes_at_once(home: Stage) -> None:
    group = home.aws.target_group(Name="bytes", Protocol="TCP", HealthCheckProtocol="HTTP")
    balancer = home.balancer("bytes", Type="network")
    home.listener(balancer, group, "TCP")
    with pytest.raises(httpx.TransportError):  # however far the request got
        home.ask(balancer["DNSName"])

    (instance,) = home.aws.launch(home.image)
    home.register(group, instance)
    home.until_healthy(group, instance)

    assert home.answering(balancer["DNSName"]) == {instance}
    home.aws.ec2.terminate_instances(InstanceIds=[instance])


def test_rules_and_fixed_responses_are_followed(home: Stage) -> None:
    group = home.aws.target_group(Name="ruled")
    balancer = home.balancer("ruled")
    fixed: Any = [
        {
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no", "ContentType": "text/plain"},
        }
    ]
    listener = home.listener(balancer, group, DefaultActions=fixed)
    rules: list[tuple[int, Any]] = [
        (2, {"Field": "path-pattern", "Values": ["/health*"]}),
        (1, {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}}),
    ]
    sorry: Any = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410"}}]
    for priority, condition in rules:
        home.aws.balancing.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[condition],
            Actions=sorry if priority == 1 else [{"Type": "forward", "TargetGroupArn": group}],
        )

    said = home.ask(balancer["DNSName"], "/other")
    assert (said.status_code, said.text) == (404, "no")
    assert home.ask(balancer["DNSName"], headers={"Host": "app.example.com"}).status_code == 410
    assert home.ask(balancer["DNSName"]).status_code == 503, "forwarded to a group with no target"


def test_a_listener_moves_and_goes_and_what_could_not_serve_is_refused(home: Stage) -> None:
    group = home.aws.target_group(Name="moved")
    balancer = home.balancer("moved")
    assert home.balancer("moved")["LoadBalancerArn"] == balancer["LoadBalancerArn"], "made once"
    with pytest.raises(ClientError, match="DuplicateLoadBalancerName"):
        home.balancer("moved", Scheme="internal")
    listener = home.listener(balancer, group)
    for protocol, reason in (("HTTP", "DuplicateListener"), ("HTTPS", "holds no certificates")):
        with pytest.raises(ClientError, match=reason):
            home.listener(balancer, group, protocol)
    with pytest.raises(ClientError, match="redirect"):
        home.aws.balancing.modify_listener(
            ListenerArn=listener,
            DefaultActions=[{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}],
        )

    home.aws.balancing.modify_listener(ListenerArn=listener, Port=PORT + 1)
    assert home.ask(balancer["DNSName"], port=PORT + 1).status_code == 503
    with pytest.raises(httpx.ConnectError):
        home.ask(balancer["DNSName"])
    home.aws.balancing.delete_listener(ListenerArn=listener)
    with pytest.raises(httpx.ConnectError):
        home.ask(balancer["DNSName"], port=PORT + 1)


def test_failover_records_follow_the_health_behind_a_load_balancer(home: Stage) -> None:
    group = home.aws.target_group(Name="failover")
    balancer = home.balancer("failover")
    home.listener(balancer, group)
    api = boto3.client("route53", **home.cloud.client_settings)
    zone = api.create_hosted_zone(Name="failover.test", CallerReference="failover")["HostedZone"]["Id"]
    target = {
        "HostedZoneId": balancer["CanonicalHostedZoneId"],
        "DNSName": balancer["DNSName"],
        "EvaluateTargetHealth": True,
    }
    sets: Any = [
        {"SetIdentifier": "one", "Failover": "PRIMARY", "AliasTarget": target},
        {
            "SetIdentifier": "two",
            "Failover": "SECONDARY",
            "TTL": 5,
            "ResourceRecords": [{"Value": "127.1.0.2"}],
        },
    ]
    changes: Any = [
        {"Action": "CREATE", "ResourceRecordSet": {"Name": "failover.test", "Type": "A", **one}}
        for one in sets
    ]
    api.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    assert home.addresses("failover.test") == ["127.1.0.2"]

    (instance,) = home.aws.launch(home.image)
    home.register(group, instance)
    home.until_healthy(group, instance)
    assert home.addresses("failover.test") == home.addresses(balancer["DNSName"])
    home.aws.ec2.terminate_instances(InstanceIds=[instance])
    assert home.addresses("failover.test") == ["127.1.0.2"]


def _up(stage: Stage, instance: str) -> bool:
    try:
        return httpx.get(f"http://{stage.aws.address(instance)}:8080/healthz").is_success
    except httpx.TransportError:
        return False

"""What a Docker machine is told, and how it is reached through a load balancer."""

import dns.message
import dns.query
import httpx
import pytest
from integration.local_cloud.aws import Aws
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud

pytestmark = pytest.mark.docker
_SHOW = 'cat "$USER_DATA_FILE"; stat -c %a "$USER_DATA_FILE"'


def shown(aws: Aws, instance: str) -> str:
    sent = aws.ssm.send_command(
        InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [_SHOW]}
    )["Command"]["CommandId"]
    ended = until(
        lambda: aws.ssm.get_command_invocation(CommandId=sent, InstanceId=instance),
        lambda found: found["Status"] not in {"Pending", "InProgress"},
        seconds=60,
    )
    return ended["StandardOutputContent"]


def test_user_data_survives_a_stop_and_a_load_balancer_leads_to_the_machine(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    (instance,) = aws.launch(image, UserData="DATABASE=äß\n")
    assert shown(aws, instance) == "DATABASE=äß\n600\n"
    aws.ec2.stop_instances(InstanceIds=[instance])
    aws.ec2.start_instances(InstanceIds=[instance])
    assert shown(aws, instance) == "DATABASE=äß\n600\n"

    group = aws.target_group()
    aws.balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    balancer = aws.balancing.create_load_balancer(Name="web", Subnets=list(aws.subnets().values()))
    aws.balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=8081,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    until(lambda: aws.health(group)[instance][0], "healthy".__eq__, seconds=60)
    (address,) = resolved(cloud, balancer["LoadBalancers"][0]["DNSName"])
    assert address.startswith("127."), "loopback, as with process machines"
    assert httpx.get(f"http://{address}:8081/healthz").json()["instance_id"] == instance


def resolved(cloud: LocalCloud, name: str) -> list[str]:
    address, port = cloud.resolver
    answer = dns.query.udp(dns.message.make_query(name, "A"), address, timeout=5, port=port)
    return [str(data) for rrset in answer.answer for data in rrset]

"""The policy in docs/aws.md allows what the adapters call, and nothing else."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import boto3

import steadfleet_activities

SOURCE = Path(steadfleet_activities.__file__).parent
PAGE = Path(__file__).resolve().parents[3] / "docs" / "aws.md"

# How the clients are called in the code: the name of boto3, and the prefix of IAM.
CLIENTS = {
    "ec2": ("ec2", "ec2"),
    "launcher": ("ec2", "ec2"),
    "autoscaling": ("autoscaling", "autoscaling"),
    "elbv2": ("elbv2", "elasticloadbalancing"),
    "ssm": ("ssm", "ssm"),
    "s3": ("s3", "s3"),
    "_s3": ("s3", "s3"),
}
RENAMED = {"s3:HeadObject": "s3:GetObject"}
# What no call is named after.
IMPLIED = {
    "ec2:CreateTags": "RunInstances gives tags in the same call",
    "iam:PassRole": "a launch template may name an instance profile",
    "s3:ListBucket": "without it S3 answers 403, not 404, for a plan that is not there",
}


def calls(source: Path) -> Iterator[tuple[str, str]]:
    """Yield client and method of each call of a client, and each that is named to `get_paginator`."""
    for file in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr=client), attr=method), args=arguments
                ) if client in CLIENTS:
                    named = [one.value for one in arguments if isinstance(one, ast.Constant)]
                    yield client, str(named[0]) if method == "get_paginator" else method


def called(source: Path) -> set[str]:
    actions = set()
    for client, method in calls(source):
        service, prefix = CLIENTS[client]
        names = boto3.client(service, region_name="eu-west-1").meta.method_to_api_mapping  # type: ignore[call-overload]
        action = f"{prefix}:{names[method]}"
        actions.add(RENAMED.get(action, action))
    return actions


def allowed(page: str) -> list[str]:
    policy = re.search(r"```json\n(\{.*?\})\n```", page, re.DOTALL)
    assert policy is not None
    return [action for statement in json.loads(policy[1])["Statement"] for action in statement["Action"]]


def test_the_policy_allows_what_is_called_and_nothing_else() -> None:
    listed = allowed(PAGE.read_text())

    assert sorted(listed) == sorted(set(listed))
    assert set(listed) - called(SOURCE) - set(IMPLIED) == set(), "allowed, and never called"
    assert (called(SOURCE) | set(IMPLIED)) - set(listed) == set(), "called, and not allowed"


def test_each_way_to_call_a_client_is_seen(tmp_path: Path) -> None:
    (tmp_path / "adapter.py").write_text(
        "class Adapter:\n"
        "    def look(self):\n"
        '        self._aws.ec2.get_paginator("describe_instances").paginate()\n'
        "        self.aws.launcher.run_instances(MinCount=1)\n"
        '        return self._s3.head_object(Bucket="plans")\n'
    )

    assert called(tmp_path) == {"ec2:DescribeInstances", "ec2:RunInstances", "s3:GetObject"}

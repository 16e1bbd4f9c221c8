"""The policies in docs/aws.md allow what each worker's adapters call, and nothing else."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

import steadfleet_activities
from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.aws.rights import look_calls, make_calls
from steadfleet_activities.dry_runs import Calls
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.rights import build_calls, publish_calls

SOURCE = Path(steadfleet_activities.__file__).parent
PAGE = Path(__file__).resolve().parents[3] / "docs" / "aws.md"

# How the clients are called in the code: the name of boto3, and the prefix of IAM.
CLIENTS = {
    "ec2": ("ec2", "ec2"),
    "launcher": ("ec2", "ec2"),
    "creator": ("ec2", "ec2"),
    "autoscaling": ("autoscaling", "autoscaling"),
    "elbv2": ("elbv2", "elasticloadbalancing"),
    "ssm": ("ssm", "ssm"),
    "ebs": ("ebs", "ebs"),
    "rds": ("rds", "rds"),
    "route53": ("route53", "route53"),
    "s3": ("s3", "s3"),
    "_s3": ("s3", "s3"),
}
RENAMED = {"s3:HeadObject": "s3:GetObject", "s3:ListObjectsV2": "s3:ListBucket"}


@dataclass(frozen=True)
class Worker:
    """One policy of the page: `sources` are its code, `implied` what no call in it says, and why."""

    sources: tuple[str, ...]
    implied: Mapping[str, str] = field(default_factory=dict)


WORKERS = {
    "patch-campaign": Worker(
        sources=("fleet/*.py", "access.py", "objects.py", "reports.py"),
        implied={
            "ec2:CreateTags": "RunInstances gives tags in the same call",
            "iam:PassRole": "a launch template may name an instance profile",
            "s3:ListBucket": "without it S3 answers 403, not 404, for a plan that is not there",
        },
    ),
    "image-build": Worker(
        sources=("image/*.py", "image/packer/*.py", "image/examining/*.py", "access.py", "objects.py"),
        implied={
            "ebs:GetSnapshotBlock": "a deep look at an image, which the signer's code has",
            "ebs:ListSnapshotBlocks": "likewise",
            "ec2:CreateImage": "packer's",
            "ec2:StopInstances": "packer's",
        },
    ),
    "signer": Worker(
        sources=("image/attesting/*.py", "objects.py"),
        implied={
            "kms:GetPublicKey": "libs/signing's, which is handed the client",
            "kms:Sign": "likewise",
        },
    ),
    "dr-drill": Worker(
        sources=(
            "drill/*.py",
            "drill/aws/*.py",
            "fleet/commands.py",
            "fleet/images.py",
            "access.py",
            "reports.py",
        ),
        implied={
            "autoscaling:CreateOrUpdateTags": "CreateAutoScalingGroup gives tags in the same call",
            "ec2:CreateTags": "so do CreateVpc and the like",
            "elasticloadbalancing:AddTags": "so do CreateLoadBalancer and the like",
            "rds:AddTagsToResource": "so do RestoreDBInstanceFromDBSnapshot and the like",
            "iam:PassRole": "the launch template may name an instance profile",
        },
    ),
    "witness": Worker(
        sources=("drill/witness/*.py", "objects.py"),
        implied={
            "kms:Decrypt": "a parameter that is a SecureString",
            "s3:ListBucket": "without it S3 answers 403, not 404, for a ledger that is not there",
        },
    ),
    "janitor": Worker(
        sources=("janitor/*.py",),
        implied=dict.fromkeys(
            (
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DeleteTags",
                "autoscaling:ResumeProcesses",
                "autoscaling:UpdateAutoScalingGroup",
            ),
            "a group is put back by fleet/holds.py",
        ),
    ),
}

# What `steadfleet doctor` cannot try of a policy, for AWS has no dry run of it, nor a harmless look
# that needs nothing to be there. docs/aws.md says so.
OF_OBJECTS = {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}
"""Looked at by themselves: the listing always, the others with `--write`."""
UNTRIED = {
    "image-build": {"ebs:GetSnapshotBlock", "ebs:ListSnapshotBlocks"},
    "dr-drill": {
        "autoscaling:CreateAutoScalingGroup",
        "autoscaling:CreateOrUpdateTags",
        "ec2:ModifyVpcAttribute",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:DescribeListeners",
        "iam:PassRole",
        "rds:AddTagsToResource",
        "rds:CopyDBSnapshot",
        "rds:CreateDBInstanceReadReplica",
        "rds:CreateDBSubnetGroup",
        "rds:PromoteReadReplica",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBInstanceToPointInTime",
        "route53:ChangeResourceRecordSets",
        "route53:ChangeTagsForResource",
        "route53:CreateHostedZone",
        "ssm:GetCommandInvocation",
        "ssm:GetParameter",
        "ssm:SendCommand",
    },
}
NOBODY: Mapping[str, Any] = {
    "region_name": "eu-west-1",
    "aws_access_key_id": "none",
    "aws_secret_access_key": "none",
}


def tried_by_the_doctor() -> Mapping[str, Calls]:
    """Build the calls, and make none."""
    builds, drills = AwsRegions(**NOBODY).at_home, DrillAws.connect(**NOBODY)
    return {
        "image-build": {**build_calls(builds), **publish_calls(builds, "eu-west-1")},
        "dr-drill": {**look_calls(drills), **make_calls(drills)},
    }


def files(globs: tuple[str, ...]) -> set[Path]:
    return {file for glob in globs for file in SOURCE.glob(glob)}


def calls(source: Path) -> Iterator[tuple[str, str]]:
    """Yield client and method of each call of a client, and each that is named to `get_paginator`."""
    for node in ast.walk(ast.parse(source.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr=client), attr="get_paginator"),
                args=[ast.Constant(value=str(method))],
            ) if client in CLIENTS:
                yield client, method
            # Not only where it is called: a method may be handed to who calls it in a thread.
            case ast.Attribute(value=ast.Attribute(attr=client), attr=method) if client in CLIENTS:
                if method in operations(CLIENTS[client][0]):
                    yield client, method


@cache
def operations(service: str) -> Mapping[str, str]:
    client = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]
    names: Mapping[str, str] = client.meta.method_to_api_mapping
    return names


def called(sources: set[Path]) -> set[str]:
    actions = set()
    for source in sources:
        for client, method in calls(source):
            service, prefix = CLIENTS[client]
            action = f"{prefix}:{operations(service)[method]}"
            actions.add(RENAMED.get(action, action))
    return actions


def policies(page: str) -> dict[str, list[list[str]]]:
    """Read what each worker is allowed, by statement, from the JSON below its heading."""
    found = re.finditer(r"^### The (\S+) worker\n.*?```json\n(\{.*?\})\n```", page, re.DOTALL | re.MULTILINE)
    return {one[1]: [statement["Action"] for statement in json.loads(one[2])["Statement"]] for one in found}


@pytest.mark.parametrize("name", WORKERS)
def test_policy_allows_what_is_called_and_nothing_else(name: str) -> None:
    statements, worker = policies(PAGE.read_text())[name], WORKERS[name]
    listed = {action for actions in statements for action in actions}
    needed = called(files(worker.sources)) | set(worker.implied)

    assert all(len(actions) == len(set(actions)) for actions in statements)
    assert listed - needed == set(), "allowed, and never called"
    assert needed - listed == set(), "called, and not allowed"


@pytest.mark.parametrize("name", UNTRIED)
def test_the_doctor_tries_all_of_a_policy_that_can_be_tried(name: str) -> None:
    listed = {action for actions in policies(PAGE.read_text())[name] for action in actions}
    tried = set(tried_by_the_doctor()[name])

    assert tried | UNTRIED[name] | OF_OBJECTS == listed
    assert tried & UNTRIED[name] == set()


def test_every_policy_of_the_page_is_held_against_code() -> None:
    assert set(policies(PAGE.read_text())) == set(WORKERS)


def test_every_call_belongs_to_a_worker() -> None:
    known = {file for worker in WORKERS.values() for file in files(worker.sources)}

    assert {file for file in SOURCE.rglob("*.py") if list(calls(file))} <= known


def test_each_way_to_call_a_client_is_seen(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.py"
    adapter.write_text(
        "class Adapter:\n"
        "    def look(self):\n"
        '        self._aws.ec2.get_paginator("describe_instances").paginate()\n'
        "        self.aws.launcher.run_instances(MinCount=1)\n"
        '        unbroken(self._aws.ec2.terminate_instances, InstanceIds=["i-1"])\n'
        "        self._regions.at(place).creator.copy_image()\n"
        "        self._regions.s3.meta.region_name\n"
        '        return self._s3.head_object(Bucket="plans")\n'
    )

    assert called({adapter}) == {
        "ec2:CopyImage",
        "ec2:DescribeInstances",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "s3:GetObject",
    }

"""A campaign is terminated, so that no code of its own runs again; still its groups are put back."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from chaos.stage import RELEASES, Stage, staged, until
from temporalio.client import WorkflowHandle

from steadfleet_ports.lease import LeaseState, Residue
from steadfleet_workflows.lease import Lease

HOSTS = 6
SOON = timedelta(seconds=90)


def group_of(stage: Stage) -> dict[str, Any]:
    client = boto3.client("autoscaling", **stage.cloud.client_settings)
    (group,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
    return dict(group)


def held(stage: Stage) -> str:
    tags = group_of(stage)["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == "steadfleet:held"), "")


def shape(stage: Stage) -> dict[str, Any]:
    group = group_of(stage)
    return {
        "maximum": group["MaxSize"],
        "desired": group["DesiredCapacity"],
        "suspended": group["SuspendedProcesses"],
        "members": len(group["Instances"]),
        "machines": len(stage.cloud.inventory()["instances"]),
    }


def expiring(stage: Stage) -> list[str]:
    return [
        one["id"] for one in stage.cloud.inventory()["instances"] if "steadfleet:expires-at" in one["tags"]
    ]


def lease_of(stage: Stage, campaign: WorkflowHandle[Any, Any]) -> WorkflowHandle[Lease, Residue]:
    return stage.client.get_workflow_handle_for(Lease.run, f"lease/{campaign.first_execution_run_id}")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("killed", ["nobody", "worker", "janitor"])
async def test_a_terminated_campaign_leaves_no_hold_and_no_machine(tmp_path: Path, killed: str) -> None:
    async with staged(tmp_path, HOSTS, STEADFLEET_LEASE_TERM="3s") as stage:
        image = stage.cloud.register_image("web-2.0", RELEASES / "good-2.0")
        before = shape(stage)
        fault = stage.cloud.add_fault("hold", action="AttachInstances", count=1, when="after")
        campaign = await stage.start(image)
        await asyncio.to_thread(stage.cloud.faults.await_held, fault.id, SOON)
        assert json.loads(held(stage))["maximum"] == before["maximum"]
        await campaign.terminate("a person pressed the wrong button")
        if killed != "nobody":
            await asyncio.to_thread(getattr(stage, killed).kill)
        stage.cloud.faults.clear()

        lease = lease_of(stage, campaign)
        await until(lambda: not held(stage), "the group is put back", SOON)
        await asyncio.wait_for(lease.result(), SOON.total_seconds())
        status = await lease.query(Lease.status)

        assert shape(stage) == before
        assert expiring(stage) == []
        assert status.state is LeaseState.ENDED
        assert any("has closed, and has not closed its lease" in alarm for alarm in status.alarms)

"""A preview's namespace on a server of others: made, used, removed with all that is in it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceFilter
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    ListNamespacesRequest,
    RegisterNamespaceRequest,
)
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from steadfleet_cli.parts import own_environment, search_attributes

STEADFLEET = str(Path(sys.executable).with_name("steadfleet"))


class Pipeline:
    """Run `steadfleet preview` as a pipeline does: another process, with a secret in a file."""

    def __init__(self, address: str, folder: Path) -> None:
        self.folder = folder
        config = folder / "preview.toml"
        config.write_text(f'[profile.preview]\naddress = "{address}"\n')
        self.env = own_environment() | {
            "STEADFLEET_PREVIEW_CONFIG": str(config),
            "STEADFLEET_PRODUCTION_ADDRESSES": "temporal.example.com:7233",
            "STEADFLEET_PREVIEWS": str(folder / "previews"),
            "TEMPORAL_ADDRESS": "production.invalid:7233",
        }

    async def preview(self, *words: str) -> tuple[int, str]:
        ran = await asyncio.to_thread(
            subprocess.run,
            [STEADFLEET, "preview", *words, "--output", "json"],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout or ran.stderr


@pytest.fixture
def pipeline(dev_server: WorkflowEnvironment, tmp_path: Path) -> Pipeline:
    return Pipeline(dev_server.client.service_client.config.target_host, tmp_path)


async def namespaces(client: Client) -> set[str]:
    answer = await client.workflow_service.list_namespaces(
        ListNamespacesRequest(page_size=100, namespace_filter=NamespaceFilter(include_deleted=True))
    )
    return {one.namespace_info.name for one in answer.namespaces} - {"default", "temporal-system"}


async def test_a_preview_has_its_attributes_and_a_day_of_retention_and_leaves_nothing(
    dev_server: WorkflowEnvironment, pipeline: Pipeline
) -> None:
    client = dev_server.client
    code, said = await pipeline.preview("up", "12")
    assert (code, json.loads(said)["namespace"]) == (0, "preview-12")

    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace="preview-12")
    )
    attributes = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="preview-12")
    )
    assert described.config.workflow_execution_retention_ttl.ToTimedelta().days == 1
    assert set(search_attributes()) <= set(attributes.custom_attributes)

    inside = await Client.connect(client.service_client.config.target_host, namespace="preview-12")
    await inside.start_workflow("PatchCampaign", id="campaign/open", task_queue="patch-campaign")
    assert (await pipeline.preview("up", "12"))[0] == 0, "a second push brings up what is there"

    code, said = await pipeline.preview("down", "12")
    assert (code, json.loads(said)["removed"]) == (0, True)
    assert await namespaces(client) == set()
    assert list((pipeline.folder / "previews").iterdir()) == []
    assert (await pipeline.preview("down", "12"))[0] == 0, "a second closing event is no error"


async def test_a_namespace_that_no_preview_made_is_never_touched(
    dev_server: WorkflowEnvironment, pipeline: Pipeline
) -> None:
    await dev_server.client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace="preview-13", workflow_execution_retention_period=Duration(seconds=86400)
        )
    )

    assert [(await pipeline.preview(word, "13"))[0] for word in ("up", "down")] == [4, 4]
    assert await namespaces(dev_server.client) == {"preview-13"}


async def test_sweep_removes_the_namespaces_whose_time_is_over_from_another_machine(
    dev_server: WorkflowEnvironment, pipeline: Pipeline
) -> None:
    await pipeline.preview("up", "14", "--keep", "0s")
    await pipeline.preview("up", "15", "--keep", "1h")
    pipeline.env |= {"STEADFLEET_PREVIEWS": str(pipeline.folder / "elsewhere")}

    code, said = await pipeline.preview("sweep")

    assert (code, json.loads(said)) == (0, {"removed": ["14"]})
    assert await namespaces(dev_server.client) == {"preview-15"}


async def test_a_command_that_sources_the_environment_works_in_the_namespace(
    dev_server: WorkflowEnvironment, pipeline: Pipeline
) -> None:
    await pipeline.preview("up", "16")
    env = pipeline.folder / "previews" / "16" / "env"

    ran = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", f". {env} && {STEADFLEET} campaign list --output json"],
        env=pipeline.env | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")

"""What the engine and the workers say, each made wrong in turn, against a real engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest
from integration.durable.tls_front import Authority, tls_front
from temporalio import activity
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from steadfleet_cli.doctor import access as looks
from steadfleet_cli.doctor import asked
from steadfleet_cli.doctor.findings import Finding, Standing
from steadfleet_cli.doctor.namespace import namespace, search_attributes
from steadfleet_cli.doctor.workers import versions, workers
from steadfleet_cli.engine import CAMPAIGNS, DRILLS, IMAGES, JANITOR, Service, polled
from steadfleet_durable import WorkerSettings, build_worker, connect
from steadfleet_ports.access import Access, Accesses, AccessQuestion
from steadfleet_ports.lease import Sweep
from steadfleet_workflows.access import AccessInspection


class Told(Accesses):
    """Says what it was given to say, at the time that it is."""

    def __init__(self, cloud_ahead: timedelta = timedelta(0), **fields: object) -> None:
        self._ahead, self._fields = cloud_ahead, fields

    @activity.defn
    async def inspect_access(self, question: AccessQuestion) -> Access:
        now = datetime.now(UTC)
        cloud = (now + self._ahead).replace(microsecond=0)
        found = Access(region="eu-west-1", bucket="plans", worker_time=now, cloud_time=cloud)
        return found.model_copy(update=self._fields)


@asynccontextmanager
async def working(client: Client, told: Told, *may_not: str) -> AsyncIterator[None]:
    """Run a campaign worker that says so, and a janitor that may not do these deletes."""

    @activity.defn(name="rehearse_sweep")
    async def rehearse(sweep: Sweep) -> tuple[str, ...]:
        assert sweep.regions == ("eu-west-1",)
        return may_not

    campaigns = build_worker(
        client,
        task_queue=CAMPAIGNS.task_queue,
        workflows=[AccessInspection],
        activities=[told.inspect_access],
    )
    janitor = build_worker(client, task_queue=JANITOR.task_queue, activities=[rehearse])
    async with campaigns, janitor, asyncio.timeout(60):
        while not (await polled(client, CAMPAIGNS) and await polled(client, JANITOR)):
            pass
        yield


@asynccontextmanager
async def beside(client: Client, service: Service, *told: Told) -> AsyncIterator[None]:
    """Run a worker of another queue, which says so; one that is told nothing is of an earlier release."""

    @activity.defn(name="verify_image")
    async def earlier() -> None: ...

    activities: list[Callable[..., Any]] = [one.inspect_access for one in told] or [earlier]
    async with build_worker(client, task_queue=service.task_queue, activities=activities):
        async with asyncio.timeout(60):
            while not await polled(client, service):
                pass
        yield


async def look(client: Client, **asked: Any) -> dict[str, Finding]:
    return {found.name: found for found in await looks.access(client, AccessQuestion(**asked))}


@pytest.fixture
def client(dev_server: WorkflowEnvironment) -> Client:
    return dev_server.client


async def test_workers_that_may_do_all_are_found_well(client: Client) -> None:
    well = Told(regions=("eu-west-1",))
    async with working(client, Told()), beside(client, IMAGES, well), beside(client, DRILLS, well):
        found = await look(client)

    assert {name: one.standing.value for name, one in found.items()} == dict.fromkeys(looks.NAMES, "ok")
    assert found["build rights"].found.endswith("allowed in eu-west-1")


async def test_what_a_worker_and_a_janitor_may_not_do_is_named(client: Client) -> None:
    told = Told(store_problem="s3://plans answers NoSuchBucket", refused=("ec2:RunInstances is refused",))
    async with working(client, told, "ec2:DeleteVpc is refused"):
        found = await look(client)

    assert {name: one.standing.value for name, one in found.items()} == {
        "clock": "ok",
        "object store": "missing",
        "cloud rights": "missing",
        "build rights": "unknown",
        "drill rights": "unknown",
        "janitor's rights": "missing",
    }
    assert "STEADFLEET_BUCKET" in found["object store"].advice
    assert found["cloud rights"].found == "ec2:RunInstances is refused"
    assert found["janitor's rights"].found == "ec2:DeleteVpc is refused"


async def test_what_a_builder_and_a_driller_may_not_do_is_named_each_for_itself(client: Client) -> None:
    builder = Told(refused=("ec2:CopyImage is refused",))
    driller = Told(store_problem="s3://plans answers AccessDenied")
    async with working(client, Told()), beside(client, IMAGES, builder), beside(client, DRILLS, driller):
        found = await look(client)

    assert found["cloud rights"].standing is Standing.OK
    assert (found["build rights"].standing, found["build rights"].found) == (
        Standing.MISSING,
        "ec2:CopyImage is refused",
    )
    assert (found["drill rights"].standing, found["drill rights"].found) == (
        Standing.MISSING,
        "s3://plans answers AccessDenied",
    )


async def test_each_worker_is_told_the_regions_that_were_named(client: Client) -> None:
    class Telling(Told):
        @activity.defn
        async def inspect_access(self, question: AccessQuestion) -> Access:
            regions = (*question.publish_regions, *question.recovery_regions)
            return Access(region="eu-west-1", bucket="plans", regions=regions)

    async with working(client, Told()), beside(client, IMAGES, Telling()), beside(client, DRILLS, Telling()):
        found = await look(client, publish_regions=("us-east-1",), recovery_regions=("eu-central-1",))

    assert found["build rights"].found.endswith("allowed in us-east-1, eu-central-1")
    assert found["drill rights"].found.endswith("allowed in us-east-1, eu-central-1")


async def test_an_answer_that_says_neither_yes_nor_no_is_a_warning(client: Client) -> None:
    unclear = Told(unclear=("AWS answers ec2:CopyImage in eu-west-1 with InvalidRequest",))
    async with working(client, Told()), beside(client, IMAGES, unclear):
        found = (await look(client))["build rights"]

    assert (found.standing, found.found) == (
        Standing.WARNING,
        "AWS answers ec2:CopyImage in eu-west-1 with InvalidRequest",
    )


async def test_a_worker_of_an_earlier_release_cannot_look_and_is_not_blamed(client: Client) -> None:
    async with working(client, Told()), beside(client, IMAGES), beside(client, DRILLS, Told()):
        found = await look(client)

    assert found["build rights"].standing is Standing.UNKNOWN
    assert "the image-build worker is of an earlier release" in found["build rights"].found
    assert found["drill rights"].standing is Standing.OK


@pytest.mark.parametrize(("ahead", "word"), [(30, "behind"), (-30, "ahead")])
async def test_a_worker_whose_clock_is_not_the_clouds_is_warned_of(
    client: Client, ahead: int, word: str
) -> None:
    async with working(client, Told(cloud_ahead=timedelta(seconds=ahead))):
        clock = (await look(client))["clock"]

    assert clock.standing is Standing.WARNING
    assert clock.found.startswith("the worker's clock from the cloud's: ")
    assert clock.found.endswith(word)
    assert "NTP" in clock.advice


class Late(datetime):
    """The clock of a machine that is ten seconds behind."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) - timedelta(seconds=10)


async def test_this_machines_clock_is_compared_with_the_engines(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "datetime", Late)
    async with working(client, Told()):
        clock = (await look(client))["clock"]

    assert clock.standing is Standing.WARNING
    assert clock.found.startswith("the engine's clock from this machine's: ")
    assert clock.found.endswith("s ahead")


async def test_a_worker_that_encrypts_with_a_key_that_is_not_here_is_told_so(
    client: Client, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("2026-11 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    address = client.service_client.config.target_host
    env = {"TEMPORAL_ADDRESS": address, "STEADFLEET_PAYLOAD_KEYS": str(keys)}

    async with working(await connect(env=env), Told()):
        found = await look(client)

    assert [one.standing.value for one in found.values()] == ["ok", *["unknown"] * 5]
    assert "key '2026-11'" in found["object store"].found


async def test_without_a_worker_nothing_is_started_and_nothing_is_claimed(client: Client) -> None:
    found = await look(client)

    assert {one.standing for one in found.values()} == {Standing.UNKNOWN}
    assert [one async for one in client.list_workflows()] == []


async def test_a_look_that_fails_is_no_proof_of_anything(client: Client) -> None:
    class Failing(Told):
        @activity.defn
        async def inspect_access(self, question: AccessQuestion) -> Access:
            raise RuntimeError("no credentials were found")

    async with working(client, Failing()), beside(client, IMAGES, Told()), beside(client, DRILLS, Failing()):
        found = await look(client)

    assert {name: one.standing.value for name, one in found.items()} == {
        "clock": "ok",
        "object store": "missing",
        "cloud rights": "unknown",
        "build rights": "ok",
        "drill rights": "missing",
        "janitor's rights": "unknown",
    }
    assert "no credentials were found" in found["object store"].found
    assert "no credentials were found" in found["drill rights"].found


async def test_attributes_that_are_not_registered_are_named_with_the_command(client: Client) -> None:
    found = await search_attributes(client)

    assert found.standing is Standing.MISSING
    assert "--name SfState --type Keyword" in found.advice


async def test_a_namespace_that_is_deprecated_is_not_fine(client: Client) -> None:
    assert (await namespace(client)).standing is Standing.OK

    request = DeprecateNamespaceRequest(namespace=client.namespace)
    await client.workflow_service.deprecate_namespace(request)

    found = await namespace(client)
    assert (found.standing, found.found) == (Standing.MISSING, "default is deprecated")


async def test_a_namespace_that_forgets_soon_is_warned_of_where_others_rely_on_it(
    client: Client, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("localhost")
    async with tls_front(client.service_client.config.target_host, certificate) as front:
        env = {
            "TEMPORAL_ADDRESS": front.address,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path),
            "TEMPORAL_TLS_SERVER_NAME": "localhost",
        }
        found = await namespace(await connect(env=env))

    assert found.standing is Standing.WARNING
    assert "keeps closed workflows for 1d" in found.found
    assert "--retention 30d" in found.advice


async def test_each_of_the_six_workers_is_looked_for(client: Client) -> None:
    found = {one.name: one.standing.value for one in await workers(client, {})}

    assert found == {
        "worker": "missing",
        "janitor": "missing",
        "builder": "optional",
        "signer": "optional",
        "driller": "optional",
        "witness": "optional",
    }


def versioned(client: Client, build_id: str) -> Worker:
    return build_worker(
        client,
        task_queue=CAMPAIGNS.task_queue,
        workflows=[AccessInspection],
        activities=[Told().inspect_access],
        settings=WorkerSettings(deployment_name="patch-campaign", build_id=build_id),
    )


async def until(client: Client, word: str) -> Finding:
    """Look until it is told; what the engine knows of versions comes a little later."""
    async with asyncio.timeout(60):
        while True:
            (found,) = await asked(["worker versions"], versions(client))
            if word in found.found:
                return found


async def make_current(client: Client, build_id: str) -> None:
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name="patch-campaign", build_id=build_id
    )
    async with asyncio.timeout(60):
        while True:
            with suppress(RPCError):  # until the engine knows all that the version polls
                await client.workflow_service.set_worker_deployment_current_version(request)
                return


async def test_a_deployment_without_a_current_version_and_one_that_has_it(client: Client) -> None:
    assert (await versions(client)).standing is Standing.OPTIONAL

    async with versioned(client, "v1"):
        found = await until(client, "v1")
        assert found.standing is Standing.MISSING
        assert "has no current version" in found.found
        assert "workers rollout --build-id v1 --deployment patch-campaign" in found.advice

        await make_current(client, "v1")
        assert (await until(client, "current: ")).standing is Standing.OK


async def test_what_the_engine_refuses_to_tell_is_unknown() -> None:
    async def refused() -> Finding:
        raise RPCError("Request unauthorized.", RPCStatusCode.PERMISSION_DENIED, b"")

    (found,) = await asked(["search attributes"], refused())

    assert found.standing is Standing.UNKNOWN
    assert "PERMISSION_DENIED: Request unauthorized." in found.found

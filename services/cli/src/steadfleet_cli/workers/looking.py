"""Find the deployments that are meant."""

from temporalio.client import Client

from steadfleet_cli.engine import CAMPAIGNS, DRILLS, IMAGES, JANITOR, SIGNER, WITNESS
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_durable.deployments import Deployment, deployments, look

QUEUES = frozenset(service.task_queue for service in (CAMPAIGNS, IMAGES, DRILLS, SIGNER, JANITOR, WITNESS))
"""What makes a deployment one of ours."""


async def find(client: Client, names: tuple[str, ...]) -> list[Deployment]:
    """Return the named deployments, or without a name all of ours."""
    if not names:
        return await deployments(client, QUEUES)
    found = {name: await look(client, name) for name in names}
    unknown = [name for name, one in found.items() if one is None]
    if unknown:
        raise CommandError(
            f"no worker deployment {', '.join(unknown)} in namespace {client.namespace}",
            ExitCode.REFUSED,
            "`steadfleet workers list` lists those that are there; one exists once its worker has polled",
        )
    return [one for one in found.values() if one]


async def names_of(client: Client, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names given, which need not exist yet, or those of all deployments of ours."""
    if names:
        return tuple(dict.fromkeys(names))
    found = tuple(deployment.name for deployment in await find(client, ()))
    if not found:
        raise CommandError(
            f"no versioned worker of ours has polled in namespace {client.namespace}",
            ExitCode.REFUSED,
            "start workers with TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID, or name with"
            " --deployment those that will come",
        )
    return found


async def standing(client: Client, names: tuple[str, ...]) -> list[Deployment]:
    """Return those of the deployments that exist."""
    return [one for name in names if (one := await look(client, name))]

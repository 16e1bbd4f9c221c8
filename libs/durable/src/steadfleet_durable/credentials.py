"""Certificates, keys and API keys that are replaced while a worker runs."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from steadfleet_durable.connection import NotAuthorizedError, connect, connection_config
from steadfleet_durable.connection_config import EngineError
from steadfleet_durable.logs import get_logger

_log = get_logger(__name__)
_DENIED = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}


async def follow_credentials(worker: Worker, interval: timedelta) -> None:
    """
    Put the worker on what is written now, whenever that is not what it shows; never return.

    What does not work is told once, and tried again: a certificate may be there before its key.
    Meanwhile the worker goes on with what it has.
    """
    told = None
    while True:
        await asyncio.sleep(interval.total_seconds())
        problem = await renew_credentials(worker)
        if problem and problem != told:
            _log.error("the new credentials do not work: going on with the old ones", problem=problem)
        told = problem


async def renew_credentials(worker: Worker) -> str | None:
    """Give the worker a client with the credentials that are written now; return why it has none."""
    old = worker.client
    try:
        if _written(connection_config()) == _shown(old):
            return None
        new = await connect(identity=old.identity)
        await _expect_may_work(new)
    except EngineError as error:
        return str(error)
    worker.client = new
    _log.info("new credentials", namespace=new.namespace, identity=new.identity)
    return None


def _written(config: ClientConnectConfig) -> tuple[Any, ...]:
    return config.get("tls") or False, config.get("api_key"), dict(config.get("rpc_metadata", {}))


def _shown(client: Client) -> tuple[Any, ...]:
    config = client.service_client.config
    return config.tls or False, config.api_key, dict(config.rpc_metadata)


async def _expect_may_work(client: Client) -> None:
    """Tell a credential that may only look: polls with it would be refused where nobody sees it."""
    heartbeat_of_nothing = RecordActivityTaskHeartbeatRequest(namespace=client.namespace)
    try:
        await client.workflow_service.record_activity_task_heartbeat(heartbeat_of_nothing)
    except RPCError as error:
        if error.status in _DENIED:
            raise NotAuthorizedError(
                f"the credential may look at namespace {client.namespace!r} and may not work in it"
                f" ({error.message}): a worker needs the permission to write"
            ) from error

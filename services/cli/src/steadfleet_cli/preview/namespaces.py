"""A preview's namespace on a server that others use too: made, found again by its mark, and removed."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType, NamespaceState
from temporalio.api.namespace.v1 import NamespaceFilter, NamespaceInfo, UpdateNamespaceInfo
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import (
    ListNamespacesRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_workflows.visibility import KEYS

MARK = "steadfleet-preview"
UNTIL = "steadfleet-preview-until"
_RETENTION = timedelta(days=1)
_GONE_WITHIN = timedelta(minutes=2)
_LOOK_EVERY = timedelta(seconds=0.5)


async def make(client: Client, name: str, change: str, until: datetime) -> None:
    """Make the namespace with its search attributes, or let the one that is there live longer."""
    there = {info.name: info for info in await _listed(client)}.get(name)
    mark = {MARK: change, UNTIL: until.isoformat()}
    if there is None:
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(
                namespace=name,
                description=f"The preview of change {change}; removed with it",
                workflow_execution_retention_period=Duration(seconds=round(_RETENTION.total_seconds())),
                data=mark,
            )
        )
    else:
        _refuse_unmarked(there, change)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=name, update_info=UpdateNamespaceInfo(data=mark))
        )
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=name, search_attributes=_attributes())
    )


async def remove(client: Client, name: str, change: str) -> bool:
    """Delete the namespace with all that is in it, and see that it is gone; whether there was one."""
    there = {info.name: info for info in await _listed(client)}.get(name)
    if there is None:
        return False
    _refuse_unmarked(there, change)
    await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))
    await _await_gone(client, there.id, name)
    return True


async def overdue(client: Client, now: datetime) -> Mapping[str, str]:
    """Return the previews on this server whose time is over: change by namespace."""
    return {
        info.name: info.data[MARK]
        for info in await _listed(client)
        if MARK in info.data and datetime.fromisoformat(info.data[UNTIL]) <= now.astimezone(UTC)
    }


def _refuse_unmarked(info: NamespaceInfo, change: str) -> None:
    marked = info.data.get(MARK)
    if marked != change:
        whose = f"belongs to change {marked}" if marked else "was not made by `steadfleet preview`"
        raise CommandError(
            f"namespace {info.name} {whose}: it is left as it is",
            ExitCode.NAME_TAKEN,
            "look whose it is; name the change otherwise",
        )


async def _await_gone(client: Client, namespace_id: str, name: str) -> None:
    """Wait until the server has removed it; while it does, the namespace has another name."""
    try:
        async with asyncio.timeout(_GONE_WITHIN.total_seconds()):
            while any(info.id == namespace_id for info in await _listed(client, deleted=True)):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(_LOOK_EVERY.total_seconds())
    except TimeoutError as error:
        raise CommandError(
            f"namespace {name} is being deleted, and not gone after {_GONE_WITHIN}",
            ExitCode.NOT_SUCCEEDED,
            "run it again later; the server goes on deleting",
        ) from error


async def _listed(client: Client, *, deleted: bool = False) -> list[NamespaceInfo]:
    found: list[NamespaceInfo] = []
    token = b""
    while True:
        page = await client.workflow_service.list_namespaces(
            ListNamespacesRequest(
                page_size=100,
                next_page_token=token,
                namespace_filter=NamespaceFilter(include_deleted=deleted),
            )
        )
        found += [
            one.namespace_info
            for one in page.namespaces
            if deleted or one.namespace_info.state != NamespaceState.NAMESPACE_STATE_DELETED
        ]
        if not (token := page.next_page_token):
            return found


def _attributes() -> dict[str, IndexedValueType.ValueType]:
    return {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in KEYS}

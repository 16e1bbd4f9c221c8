"""The namespace: its state, how long it remembers, and what it can be searched by."""

from datetime import timedelta

from temporalio.api.enums.v1 import NamespaceState
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from steadfleet_cli.doctor.findings import Finding, Standing, needed
from steadfleet_cli.parts import search_attributes as wanted_attributes
from steadfleet_core.model import format_duration

ANSWERS_WITHIN = timedelta(seconds=5)
LEAST_RETENTION = timedelta(days=30)
"""A closed campaign's report, and who approved it, are read from the engine for so long."""


async def namespace(client: Client) -> Finding:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    answer = await client.workflow_service.describe_namespace(request)
    state = answer.namespace_info.state
    if state != NamespaceState.NAMESPACE_STATE_REGISTERED:
        said = NamespaceState.Name(state).removeprefix("NAMESPACE_STATE_").lower()
        advice = "name another in TEMPORAL_NAMESPACE: this one takes no new work for long"
        return Finding("namespace", Standing.MISSING, f"{client.namespace} is {said}", advice)
    retention = answer.config.workflow_execution_retention_ttl.ToTimedelta()
    return _judged(client, retention)


def _judged(client: Client, retention: timedelta) -> Finding:
    found = f"{client.namespace} keeps closed workflows for {format_duration(retention)}"
    if retention >= LEAST_RETENTION or _of_this_machine(client):
        return Finding("namespace", Standing.OK, found)
    update = f"temporal operator namespace update -n {client.namespace} --retention {LEAST_RETENTION.days}d"
    advice = f"`{update}` (on Temporal Cloud: retention_days)"
    return Finding(
        "namespace", Standing.WARNING, f"{found}: reports and approvals are gone after that", advice
    )


def _of_this_machine(client: Client) -> bool:
    """Say whether it is an engine of one person's own: there is nothing to prove from it."""
    config = client.service_client.config
    return not config.tls and config.target_host.startswith(("127.", "localhost:"))


async def search_attributes(client: Client) -> Finding:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    answer = await client.operator_service.list_search_attributes(request)
    wanted = wanted_attributes()
    missing = [name for name in wanted if name not in answer.custom_attributes]
    create = "temporal operator search-attribute create " + " ".join(
        f"--name {name} --type {wanted[name]}" for name in missing
    )
    found = f"not registered: {', '.join(missing)}" if missing else ", ".join(wanted)
    return needed("search attributes", found, not missing, f"`{create}`")

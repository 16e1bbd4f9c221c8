"""What a person must look at after a restore: what ran after the backup runs again."""

from collections.abc import Iterator

from temporalio.client import Client

from steadfleet_cli.self_host.restore import Restored

_SHOWN = 50


async def open_runs(client: Client) -> list[str]:
    """Name what is open in the client's namespace, as the restored engine has it."""
    return [
        f"{execution.workflow_type} {execution.id}, started {execution.start_time:%Y-%m-%d %H:%M:%S} UTC"
        async for execution in client.list_workflows('ExecutionStatus = "Running"')
    ]


def advice(restored: Restored, runs: list[str]) -> Iterator[str]:
    made_at = f"{restored.manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"restored: the engine stands where it stood at {made_at}, in {restored.databases.default}"
    if restored.kept:
        yield f"kept: {' and '.join(restored.kept)}; drop what was kept when the restore was the right one"
    for poller in restored.too_early:
        yield f"ALARM: {poller} polled before the workers of this installation were started: it lived"
        yield "  through the restore. Stop it, and reset what it touched to before its first event: `temporal"
        yield "  workflow reset --event-id`"
    yield f"{len(runs)} runs are open, and do again what they did after that time; each looks before it acts:"
    yield from (f"  {run}" for run in runs[:_SHOWN])
    if len(runs) > _SHOWN:
        yield f"  and {len(runs) - _SHOWN} more: `temporal workflow list`"
    yield "reconcile:"
    yield f"  - what was started after {made_at} is unknown to the engine: start it again where it is wanted;"
    yield "    what it had made carries `steadfleet:expires-at`: `steadfleet sweep --dry-run`"
    yield f"  - verbs given after {made_at} (approve, pause, abort …) are forgotten: repeat those that count"
    yield "  - leases that ended meanwhile are open again, and end when their owners do"

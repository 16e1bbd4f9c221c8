"""What waves and shards ask for one host."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from steadfleet_core.campaign.wave import WaveOrder
from steadfleet_core.fleet import Host, HostOutcome, HostState
from steadfleet_durable.failures import words_of
from steadfleet_durable.options import LONG
from steadfleet_ports.fleet import Fleet, HostChange, HostRestore


# The host is in the activity's id, where the UI and `temporal activity pause` find it: a summary
# would say it too, but costs a third payload a host, and a fifth of the throughput.
def start_change(order: WaveOrder, host: Host) -> workflow.ActivityHandle[HostOutcome]:
    change = HostChange(**_request(order, host))
    return workflow.start_activity_method(Fleet.change_host, change, activity_id=f"change {host.id}", **LONG)


async def restore_host(order: WaveOrder, host: Host) -> HostOutcome:
    """Restore a host; a restore that gave up is a lost host, not an error."""
    restore = HostRestore(**_request(order, host))
    try:
        return await workflow.execute_activity_method(
            Fleet.restore_host, restore, activity_id=f"restore {host.id}", **LONG
        )
    except ActivityError as error:
        return HostOutcome(host=host.id, state=HostState.LOST, reason=root_cause(error))


def root_cause(error: BaseException) -> str:
    """Return what was said where it failed: the outer messages only say that an activity did."""
    return words_of(error)


def _request(order: WaveOrder, host: Host) -> dict[str, Any]:
    return {
        "campaign": order.campaign,
        "run": order.run,
        "attempt": order.attempt,
        "wave": order.wave.number,
        "host": host,
        "image": order.image,
        "checks": order.spec.health_checks,
    }

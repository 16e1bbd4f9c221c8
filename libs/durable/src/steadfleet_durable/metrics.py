"""Metrics of our own, beside the SDK's on the same /metrics.

What a worker counts dies with it, so a gauge is never kept up by hand: it is looked up, again and
again, where the truth is. `watch` does that, and says when it last could.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from temporalio import workflow
from temporalio.common import MetricMeter

from steadfleet_durable.logs import get_logger

_log = get_logger(__name__)
WATCH_TIMESTAMP = "steadfleet_watch_timestamp_seconds"

Labels = tuple[tuple[str, str], ...]


class Gauge:
    """A gauge that is told all of its series at once: a series that is told no more falls to zero."""

    def __init__(self, meter: MetricMeter, name: str, description: str) -> None:
        self._gauge = meter.create_gauge_float(name, description)
        self._told: set[Labels] = set()

    def show(self, series: Mapping[Labels, float]) -> None:
        """Set these series; each is named by its labels, see `labelled`."""
        for labels in self._told - series.keys():
            self._gauge.set(0, dict(labels))
        for labels, value in series.items():
            self._gauge.set(value, dict(labels))
        self._told |= series.keys()


def labelled(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


def count(name: str, description: str, amount: int = 1, **labels: str) -> None:
    """Count something that a workflow saw; a replay does not count it again."""
    workflow.metric_meter().create_counter(name, description).add(amount, labels)


async def watch(
    name: str, look: Callable[[], Awaitable[None]], *, every: timedelta, meter: MetricMeter
) -> None:
    """
    Look again and again, and show when a look last succeeded.

    What cannot be looked at is logged, and keeps its last value: an alert on the time says so.
    """
    seen = Gauge(meter, WATCH_TIMESTAMP, "When this was last looked at with success.")
    while True:
        try:
            await look()
        except Exception as error:  # noqa: BLE001  # whatever it was, the next look may succeed
            _log.warning("could not be looked at", watch=name, problem=str(error))
        else:
            seen.show({labelled(watch=name): time.time()})
        await asyncio.sleep(every.total_seconds())

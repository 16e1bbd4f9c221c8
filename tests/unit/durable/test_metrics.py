"""A gauge is told as a whole, and a watch goes on whatever a look met."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from temporalio.common import MetricMeter

from steadfleet_durable.metrics import WATCH_TIMESTAMP, Gauge, labelled, watch

A, B = labelled(state="a"), labelled(state="b")


@dataclass
class Recorded:
    """A meter that keeps what its gauges were set to."""

    values: dict[tuple[str, str], float] = field(default_factory=dict)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def create_gauge_float(self, name: str, _description: str) -> "_Gauge":
        return _Gauge(name, self)

    @property
    def meter(self) -> MetricMeter:
        return cast("MetricMeter", self)


@dataclass
class _Gauge:
    name: str
    recorded: Recorded

    def set(self, value: float, labels: Mapping[str, Any]) -> None:
        self.recorded.values[self.name, ",".join(labels.values())] = value
        self.recorded.told.set()


def test_what_is_told_no_more_falls_to_zero() -> None:
    recorded = Recorded()
    gauge = Gauge(recorded.meter, "runs", "")

    gauge.show({A: 2, B: 1})
    gauge.show({B: 3})

    assert recorded.values == {("runs", "a"): 0, ("runs", "b"): 3}


async def test_a_look_that_fails_is_no_success_and_not_the_last() -> None:
    recorded, seen_before = Recorded(), list[int]()

    async def look() -> None:
        seen_before.append(len(recorded.values))
        if len(seen_before) == 1:
            raise RuntimeError("the engine is away")

    watching = asyncio.create_task(watch("engine", look, every=timedelta(0), meter=recorded.meter))
    await recorded.told.wait()
    watching.cancel()

    assert seen_before == [0, 0]
    assert set(recorded.values) == {(WATCH_TIMESTAMP, "engine")}

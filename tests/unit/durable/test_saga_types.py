"""Checked by mypy: where a mistake is not refused, its `type: ignore` is unused, and so an error."""

from collections.abc import Callable

from temporalio import activity, workflow

from steadfleet_durable import LONG, QUICK, Saga


class Disks:
    @activity.defn
    async def delete_disk(self, name: str) -> int:
        return len(name)


def takes_the_method_and_its_argument(saga: Saga) -> None:
    saga.compensate_with(Disks.delete_disk, "a")
    saga.compensate_with(Disks.delete_disk, "a", **LONG)
    saga.compensate_with(Disks.delete_disk, 42)  # type: ignore[misc]
    saga.compensate_with(Disks.delete_disk)  # type: ignore[call-arg]
    saga.compensate_with(lambda: None, "a")  # type: ignore[arg-type]
    saga.compensate_with(Disks.delete_disk, "a", heartbeat="30s")  # type: ignore[call-arg]


async def options_fit_a_call() -> int:
    return await workflow.execute_activity_method(Disks.delete_disk, "a", summary="disk a", **QUICK)


def test_the_type_checker_reads_this_file() -> None:
    checked: list[Callable[..., object]] = [takes_the_method_and_its_argument, options_fit_a_call]
    assert all(function.__annotations__ for function in checked)

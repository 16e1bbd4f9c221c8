"""Workflows that put a word wherever a workflow can put one: each names the place where it was put."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

TASK_QUEUE = "telling"
MARK = "planted_in_"
PLACES = (
    "argument", "memo", "static_summary", "static_details", "header", "signal",
    "update_argument", "update_result", "update_failure",
    "activity_argument", "activity_summary", "activity_result", "heartbeat", "failure_message",
    "failure_detail", "the_stack", "cause", "last_failure", "timer_summary", "child_argument",
    "child_failure", "continued", "workflow_failure", "workflow_task_failure",
    "termination", "schedule_argument", "schedule_memo",
)  # fmt: skip


def planted(place: str) -> str:
    if place not in PLACES:
        raise ValueError(f"{place} is not among the places")
    return MARK + place


def planted_in_the_stack(place: str, cause: str) -> None:
    raise ApplicationError(planted(place), planted("failure_detail")) from ValueError(planted(cause))


@activity.defn
async def tell(word: str) -> str:
    activity.heartbeat(planted("heartbeat"))
    if activity.info().attempt == 1:
        planted_in_the_stack("failure_message", "cause")
    return planted("activity_result")


@activity.defn
async def keep_failing() -> None:
    activity.heartbeat(planted("heartbeat"))
    planted_in_the_stack("last_failure", "cause")


@workflow.defn
class FailingChild:
    @workflow.run
    async def run(self, word: str) -> None:
        raise ApplicationError(planted("child_failure"))


@workflow.defn
class Stumbles:
    @workflow.run
    async def run(self, word: str) -> None:
        raise ValueError(planted("workflow_task_failure"))


@workflow.defn
class Retries:
    """Has an activity that fails, and is tried again when the test is long over."""

    @workflow.run
    async def run(self, word: str) -> None:
        await workflow.execute_activity(
            keep_failing,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(initial_interval=timedelta(days=1), maximum_interval=timedelta(days=1)),
        )


@workflow.defn
class Tells:
    """Runs twice, heeds a signal and an update, and fails at its end."""

    def __init__(self) -> None:
        self._heard: list[str] = []

    @workflow.run
    async def run(self, word: str) -> None:
        if word == planted("argument"):
            await self._tell()
            workflow.continue_as_new(planted("continued"))
        try:
            await workflow.execute_child_workflow(FailingChild.run, planted("child_argument"))
        except ChildWorkflowError as error:
            raise ApplicationError(planted("workflow_failure")) from error

    @workflow.signal
    def hear(self, word: str) -> None:
        self._heard.append(word)

    @workflow.update
    async def answer(self, word: str) -> str:
        self._heard.append(word)
        return planted("update_result")

    @workflow.update
    async def refuse(self) -> None:
        self._heard.append("refused")
        raise ApplicationError(planted("update_failure"))

    async def _tell(self) -> None:
        await workflow.wait_condition(lambda: len(self._heard) == 3)  # a signal, two updates
        await workflow.sleep(timedelta(milliseconds=1), summary=planted("timer_summary"))
        await workflow.execute_activity(
            tell,
            planted("activity_argument"),
            summary=planted("activity_summary"),
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
        )
        try:
            await workflow.execute_activity(
                keep_failing,
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except ActivityError:
            await asyncio.sleep(0)


@workflow.defn
class WaitsToGoOn:
    """Gathers what it hears over a change of keys."""

    def __init__(self) -> None:
        self._heard: list[str] = []

    @workflow.run
    async def run(self, word: str) -> list[str]:
        await workflow.wait_condition(lambda: bool(self._heard))
        return [word, *self._heard, await self._told()]

    @workflow.signal
    def hear(self, word: str) -> None:
        self._heard.append(word)

    async def _told(self) -> str:
        return await workflow.execute_activity(
            tell, planted("activity_argument"), start_to_close_timeout=timedelta(minutes=1)
        )


WORKFLOWS = (Tells, FailingChild, Stumbles, Retries, WaitsToGoOn)
ACTIVITIES = (tell, keep_failing)

"""Named policies for activities: no timeout is written anywhere else."""

import os
from dataclasses import replace
from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from steadfleet_durable.settings import read_time


class Options(TypedDict, total=False):
    """
    What a policy may set: `execute_activity_method(Fleet.change_host, request, **LONG)`.

    Names and summaries are not here, so a call can still pass `summary=` beside the policy.
    """

    task_queue: str

    schedule_to_close_timeout: timedelta
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


def _retry(longest: timedelta) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=longest,
        # A result over 2 MB is as large the next time.
        non_retryable_error_types=["PayloadsTooLarge"],
    )


def within(options: Options, time_limit: timedelta, attempts: int = 0) -> Options:
    """Return the policy with the order's own time limit for an attempt; 0 attempts is no bound."""
    retry = replace(options["retry_policy"], maximum_attempts=attempts)
    whole = max(options["schedule_to_close_timeout"], time_limit * max(attempts, 2))
    return Options(
        **{
            **options,
            "start_to_close_timeout": time_limit,
            "schedule_to_close_timeout": whole,
            "retry_policy": retry,
        }
    )


def on_queue(options: Options, task_queue: str) -> Options:
    """Return the policy for an activity that another service's worker carries out."""
    return Options(**{**options, "task_queue": task_queue})


# How long a dead worker goes unnoticed while it changes a host; the other policies follow it. Read
# once, where the process begins; a replay does not compare it.
HEARTBEAT_TIMEOUT = read_time(os.environ, "STEADFLEET_HEARTBEAT_TIMEOUT", "30s")

# One call: seconds of work, and retries that end.
QUICK = Options(
    start_to_close_timeout=2 * HEARTBEAT_TIMEOUT,
    schedule_to_close_timeout=timedelta(minutes=10),
    retry_policy=_retry(timedelta(seconds=30)),
)

# Minutes to hours on something that an abort must reach. The undo waits for the end of it:
# nothing is undone while it is being done.
LONG = Options(
    start_to_close_timeout=timedelta(hours=4),
    schedule_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=HEARTBEAT_TIMEOUT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry_policy=_retry(timedelta(minutes=1)),
)

# Minutes, where progress comes in large steps and nobody waits for an abort.
SLOW = Options(
    start_to_close_timeout=timedelta(minutes=30),
    schedule_to_close_timeout=timedelta(hours=2),
    heartbeat_timeout=4 * HEARTBEAT_TIMEOUT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry_policy=_retry(timedelta(minutes=1)),
)

# Work that its caller begins anew by itself, with a word to a person each time: so it gives up soon.
BRIEF = Options(
    start_to_close_timeout=timedelta(minutes=30),
    heartbeat_timeout=HEARTBEAT_TIMEOUT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry_policy=RetryPolicy(maximum_attempts=3),
)

# A compensation: it is retried far longer than the step was, for what it leaves behind costs.
UNDO = Options(
    start_to_close_timeout=4 * HEARTBEAT_TIMEOUT,
    schedule_to_close_timeout=timedelta(hours=6),
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry_policy=_retry(timedelta(minutes=1)),
)

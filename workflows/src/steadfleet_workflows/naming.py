"""The name of a run: what it makes is named and tagged after it."""

from temporalio import workflow


def run_name(*words: str) -> str:
    """Return the name of the run that asks."""
    return name_of_run(workflow.info().first_execution_run_id, *words)


def name_of_run(run: str, *words: str) -> str:
    """Return the words and a part of the run's id that no other run has.

    The id begins with the time (UUID version 7): two runs of one minute begin alike, and end at random.
    """
    return "-".join([*words, run[-8:]])

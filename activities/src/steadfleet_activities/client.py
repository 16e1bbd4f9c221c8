"""The connection to Temporal that adapters speak through."""

from temporalio import activity
from temporalio.client import Client


def client_of(given: Client | None) -> Client:
    """Return the given one, or the worker's own, which is there only once an activity runs."""
    return given if given is not None else activity.client()

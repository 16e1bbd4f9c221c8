"""What a worker may do where it runs, looked at without doing it."""

from abc import ABC, abstractmethod
from datetime import datetime

from temporalio import activity

from steadfleet_core.model import Model


class AccessQuestion(Model):
    """`write` also stores a small object and reads it back; it stays, and is written once.

    `janitor` also asks the janitor to rehearse its deletes: without one, nobody would answer.
    """

    write: bool = False
    janitor: bool = False


class Access(Model):
    """What was found. An empty problem is none; times are those of one call to the object store."""

    region: str
    bucket: str
    store_problem: str = ""
    refused: tuple[str, ...] = ()
    worker_time: datetime | None = None
    cloud_time: datetime | None = None


class Accesses(ABC):
    """Looks at the rights of the worker that carries out campaigns."""

    @activity.defn
    @abstractmethod
    async def inspect_access(self, question: AccessQuestion) -> Access:
        """Try what a campaign calls: as a dry run where there is one, else the look alone."""

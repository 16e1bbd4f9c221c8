"""What a worker may do where it runs, looked at without doing it."""

from abc import ABC, abstractmethod
from datetime import datetime

from temporalio import activity

from steadfleet_core.model import Model


class AccessQuestion(Model):
    """`write` also stores a small object and reads it back; it stays, and is written once.

    `janitor`, `builds` and `drills` also ask those workers: where none polls, nobody would answer.
    Beside its own region a worker tries what it makes in those where images are published, and where
    drills recover.
    """

    write: bool = False
    janitor: bool = False
    builds: bool = False
    drills: bool = False
    publish_regions: tuple[str, ...] = ()
    recovery_regions: tuple[str, ...] = ()


class Access(Model):
    """What was found. An empty problem is none; times are those of one call to the object store.

    `unclear` are answers that say neither yes nor no; `regions` are those where calls were tried.
    """

    region: str
    bucket: str
    store_problem: str = ""
    refused: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    worker_time: datetime | None = None
    cloud_time: datetime | None = None


class Accesses(ABC):
    """Looks at the rights of the worker that is asked: of campaigns, of builds or of drills."""

    @activity.defn
    @abstractmethod
    async def inspect_access(self, question: AccessQuestion) -> Access:
        """Try what the worker calls: as a dry run where there is one, else the look alone."""

"""What a self-hosted engine runs on: where its databases are, and how its parts stop and start."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

PLAIN_NAME = r"^[a-z_][a-z0-9_]{0,62}$"
"""What PostgreSQL needs no quotes for."""


class SelfHostError(Exception):
    """What stands in the way, and what to do."""


@dataclass(frozen=True)
class Databases:
    """The engine's two databases: histories, and what is searched."""

    default: str = "temporal"
    visibility: str = "temporal_visibility"

    def __post_init__(self) -> None:
        for name in self.all:
            if not re.match(PLAIN_NAME, name):
                raise SelfHostError(
                    f"database name {name!r}: expected up to 63 of a-z, 0-9 and _, and no digit first"
                )

    @classmethod
    def named(cls, name: str) -> "Databases":
        return cls(name, f"{name}_visibility")

    @property
    def all(self) -> tuple[str, str]:
        return self.default, self.visibility


class Installation(ABC):
    """One engine with its workers; each method returns when it is done."""

    @property
    @abstractmethod
    def databases(self) -> Databases:
        """Those that the server is set to use."""

    @abstractmethod
    def postgresql(self, program: str) -> list[str]:
        """Return the command that runs one of PostgreSQL's programs as a superuser of the server."""

    @abstractmethod
    def stop_workers(self) -> None: ...

    @abstractmethod
    def start_workers(self) -> None: ...

    @abstractmethod
    def stop_server(self) -> None: ...

    @abstractmethod
    def start_server(self, databases: Databases) -> None:
        """Start it on these databases, and leave it set so; return when it serves."""

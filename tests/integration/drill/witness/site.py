"""A witness with everything around it that a test may want to see or to break."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from integration.drill.witness.postgres import PASSWORD, Server
from psycopg import sql

from steadfleet_activities.drill.witness.clock import WitnessClock
from steadfleet_activities.drill.witness.databases import Database
from steadfleet_activities.drill.witness.folder import WitnessFolder
from steadfleet_activities.drill.witness.journal import Journal, read_journal
from steadfleet_activities.drill.witness.keeper import Keeper
from steadfleet_activities.drill.witness.passwords import Passwords
from steadfleet_activities.drill.witness.resolving import Names
from steadfleet_activities.drill.witness.sealing import SealedLedgers
from steadfleet_activities.drill.witness.spec import LedgerSpec
from steadfleet_activities.drill.witness.witness import IndependentWitness
from steadfleet_core.drill.measuring import SealedLedger
from steadfleet_core.drill.plan import Secret
from steadfleet_local_cloud.postgres import SUPERUSER
from steadfleet_ports.witness import Reconciliation

VARIABLE = "ORDERS_PASSWORD"
SECRET = Secret(environment=VARIABLE)


@dataclass
class Bucket:
    """S3 as far as sealed ledgers need it."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def put_object(self, *, Key: str, Body: bytes, IfNoneMatch: str, **_rest: object) -> None:  # noqa: N803
        if Key in self.kept:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        self.kept[Key] = Body

    def get_object(self, *, Key: str, **_rest: object) -> dict[str, Any]:  # noqa: N803
        if Key not in self.kept:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content = self.kept[Key]

        class Body:
            def read(self) -> bytes:
                return content

        return {"Body": Body()}


def spec_of(server: Server, database: str, name: str = "orders", **changes: Any) -> LedgerSpec:
    given: dict[str, Any] = {
        "name": name,
        "host": "127.0.0.1",
        "port": server.port,
        "database": database,
        "user": SUPERUSER,
        "password": SECRET,
        "interval": timedelta(milliseconds=100),
    }
    return LedgerSpec(**{**given, **changes})


def database_of(spec: LedgerSpec) -> Database:
    return Database(spec.host, spec.port, spec.database, spec.user, PASSWORD)


def new_database(server: Server, name: str, template: str = "template1") -> str:
    """Make a database, from another one if said: as a recovery would bring it back."""
    server.run(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
    server.run(
        sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
    )
    return name


@dataclass
class Site:
    """A witness's folder, bucket and clock; `witness` makes a process of it, as it were."""

    path: Path
    bucket: Bucket = field(default_factory=Bucket)
    now: Callable[[], datetime] = field(default_factory=lambda: WitnessClock().now)
    env: Mapping[str, str] = field(default_factory=lambda: {VARIABLE: PASSWORD})
    names: Names = field(default_factory=Names)

    def journal(self, name: str = "orders") -> Journal:
        return Journal(WitnessFolder(self.path).ledger(name))

    def sequences(self, name: str = "orders") -> list[int]:
        """Look into a journal that somebody may be writing."""
        return [entry.sequence for entry in read_journal(WitnessFolder(self.path).ledger(name))]

    def keeper(self, spec: LedgerSpec) -> Keeper:
        return Keeper(spec, self.journal(spec.name), self.now, database_of)

    def witness(self, *keepers: Keeper) -> IndependentWitness:
        return IndependentWitness(
            folder=WitnessFolder(self.path),
            keepers={keeper.spec.name: keeper for keeper in keepers},
            sealed=SealedLedgers(self.bucket, "evidence"),  # type: ignore[arg-type]
            passwords=Passwords(lambda name: PASSWORD, self.env),
            names=self.names,
            now=self.now,
        )


def reconciliation(server: Server, recovered: str, kept: SealedLedger, **changes: Any) -> Reconciliation:
    assert kept.digest is not None, kept.problem
    given: dict[str, Any] = {
        "run": "run-1",
        "store": "orders",
        "ledger": kept.name,
        "sealed": kept.digest,
        "as_of": datetime.now(UTC),
        "host": "127.0.0.1",
        "port": server.port,
        "database": recovered,
        "user": SUPERUSER,
        "password": SECRET,
    }
    return Reconciliation(**{**given, **changes})

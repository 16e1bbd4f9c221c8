"""Hold a sealed ledger against the recovered database."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from steadfleet_activities.drill.witness.databases import Database, LedgerTable
from steadfleet_core.drill.measuring import DataLoss, LedgerEntry, loss_of
from steadfleet_core.errors import RefusedError
from steadfleet_ports.witness import Reconciliation

_TRIES = 3
_REST = 1.0


@dataclass(frozen=True)
class Reconciler:
    """Reads every number; what cannot be read is a problem, and never no loss."""

    entries: Callable[[str], list[LedgerEntry]]
    database: Callable[[Reconciliation], Database]
    rest: Callable[[float], None] = time.sleep

    def reconcile(self, asked: Reconciliation, table: str | None) -> DataLoss:
        if table is None:
            return _unknown(
                asked, f"this witness keeps no ledger {asked.ledger}: add it to STEADFLEET_LEDGERS"
            )
        try:
            acknowledged = self.entries(asked.sealed)
            if not acknowledged:
                return _unknown(asked, f"ledger {asked.ledger} had no acknowledged write when it was sealed")
            found = self._found(asked, table, acknowledged[0].sequence, acknowledged[-1].sequence)
        except (psycopg.Error, RefusedError) as error:
            return _unknown(asked, _explained(error, asked, table))
        return loss_of(asked.store, asked.ledger, acknowledged, found, asked.as_of)

    def _found(self, asked: Reconciliation, table: str, first: int, last: int) -> list[int]:
        database = self.database(asked)
        for left in reversed(range(_TRIES)):
            try:
                with database.connected() as connection:
                    return LedgerTable(connection, table).sequences(first, last)
            except psycopg.OperationalError:
                if not left:
                    raise
                self.rest(_REST)
        raise AssertionError  # every turn returns or raises


def _unknown(asked: Reconciliation, problem: str) -> DataLoss:
    return DataLoss(
        store=asked.store, ledger=asked.ledger, acknowledged=0, recovered=0, lost=0, problem=problem
    )


def _explained(error: Exception, asked: Reconciliation, table: str) -> str:
    where = f"database {asked.database} at {asked.host}:{asked.port}"
    said = " ".join(str(error).split())
    match error:
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return (
                f"{where} has no ledger {table}: it was not recovered, or this is another database ({said})"
            )
        case psycopg.errors.InsufficientPrivilege():
            return f"{asked.user} may not read {table} in {where}: {said}"
        case psycopg.OperationalError():
            return f"{where} does not let {asked.user} in: {said}"
        case psycopg.Error():
            return f"{table} in {where} cannot be read: {said}"
    return said

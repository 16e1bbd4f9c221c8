"""Keep a ledger: write a row, wait for the store's word, and only then note it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg

from steadfleet_activities.drill.witness.databases import Database, LedgerTable
from steadfleet_activities.drill.witness.journal import Journal
from steadfleet_activities.drill.witness.spec import LedgerSpec
from steadfleet_core.errors import RefusedError
from steadfleet_durable import get_logger

_log = get_logger(__name__)

_LEAST_REST = timedelta(seconds=1)
_HANGS_AFTER = timedelta(seconds=30)
_REPEATED_AFTER = timedelta(minutes=1)
_PRUNED_EVERY = timedelta(hours=1)
# A row outlives its line: a copy that lags behind, or is being recovered, must still have it.
_ROWS_STAY = timedelta(days=1)

Connect = Callable[[LedgerSpec], Database]


class Keeper:
    """One ledger, on a thread of its own: a store that hangs holds up no probe and no other ledger."""

    def __init__(
        self, spec: LedgerSpec, journal: Journal, now: Callable[[], datetime], connect: Connect
    ) -> None:
        self.spec = spec
        self.journal = journal
        self._now = now
        self._connect = connect
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ledger {spec.name}", daemon=True)
        self._problem = ""
        self._told_at: datetime | None = None
        self._pruned_at: datetime | None = None

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        """Tell it to end after the write that is in flight."""
        self._stop.set()

    @property
    def leaving(self) -> bool:
        return self._stop.is_set()

    def join(self) -> bool:
        """Wait until it has; False if a store hangs: not for ever."""
        self._thread.join(timeout=_HANGS_AFTER.total_seconds())
        if self._thread.is_alive():
            return False
        self.journal.close()
        return True

    @property
    def problem(self) -> str:
        """Say why nothing is written at present; empty if it is."""
        return self._problem

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._keep()
            except (psycopg.Error, RefusedError, OSError) as error:
                self._tell(str(error).strip() or type(error).__name__)
            except Exception:  # noqa: BLE001  # a thread that dies would be a ledger that is silent
                _log.exception("a ledger met what it did not expect", ledger=self.spec.name)
                self._problem = "see the log"
            self._stop.wait(max(self.spec.interval, _LEAST_REST).total_seconds())

    def _keep(self) -> None:
        """Write until the store fails or somebody says stop."""
        with self._connect(self.spec).connected() as connection:
            table = LedgerTable(connection, self.spec.table)
            table.own()
            highest = table.highest()
            due = self._now()
            while not self._stop.wait(max((due - self._now()).total_seconds(), 0)):
                self._write(table, highest)
                self._prune(table)
                due = max(due + self.spec.interval, self._now())

    def _write(self, table: LedgerTable, highest: int) -> None:
        # Taken before anything is sent: if the connection breaks at the commit, this number is spent.
        sequence = self.journal.next_after(highest)
        table.write(sequence, self._now())
        self.journal.acknowledge(sequence, self._now)
        if self._problem or self._told_at is None:
            _log.info("the ledger is kept", ledger=self.spec.name, table=self.spec.place, sequence=sequence)
            self._problem, self._told_at = "", self._now()

    def _prune(self, table: LedgerTable) -> None:
        now = self._now()
        if self._pruned_at is not None and now - self._pruned_at < _PRUNED_EVERY:
            return
        self._pruned_at = now
        # The journal first: a row that is gone while its line is there would count as lost.
        self.journal.prune(now - self.spec.retention)
        first = self.journal.first_sequence()
        if first is not None:
            table.prune(first, now - self.spec.retention - _ROWS_STAY)

    def _tell(self, problem: str) -> None:
        """Say what is wrong once, and again after a while."""
        now = self._now()
        if problem != self._problem or self._told_at is None or now - self._told_at > _REPEATED_AFTER:
            _log.error(
                "the ledger is not kept: until it is again, nothing counts as acknowledged",
                ledger=self.spec.name,
                table=self.spec.place,
                problem=problem,
            )
            self._told_at = now
        self._problem = problem

"""The ledgers that are kept now: those of the operator's file, as it says at present."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from steadfleet_activities.drill.witness.keeper import Keeper
from steadfleet_activities.drill.witness.spec import LedgerSpec, read_ledgers
from steadfleet_core.errors import RefusedError, SteadfleetError
from steadfleet_durable import get_logger

_log = get_logger(__name__)

_LOOKED_EVERY = timedelta(seconds=2)

_Seen = tuple[int, int, int]


class Ledgers(Mapping[str, Keeper]):
    """Keeps what it is told to, and nothing else; one thread at a time tells it, any may read it."""

    def __init__(self, make: Callable[[LedgerSpec], Keeper]) -> None:
        self._make = make
        self._kept: Mapping[str, Keeper] = {}

    def __getitem__(self, name: str) -> Keeper:
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, specs: Iterable[LedgerSpec]) -> None:
        """Start what is new, end what is not there any more, and begin anew what was changed.

        Raises `RefusedError` for journals that cannot be gone on with; all else is done then.
        """
        wanted = {spec.name: spec for spec in specs}
        ended = _ended(
            one for one in self._kept.values() if one.leaving or wanted.get(one.spec.name) != one.spec
        )
        # A journal has one writer: a ledger that hangs is in the way of what follows it, until it has ended.
        kept = {name: keeper for name, keeper in self._kept.items() if keeper not in ended}
        problems = []
        for name in wanted.keys() - kept.keys():
            try:
                kept[name] = self._started(wanted[name])
            except RefusedError as error:
                problems.append(str(error))
        self._kept = kept
        if problems:
            raise RefusedError("; ".join(problems))

    def keeps(self, specs: Iterable[LedgerSpec]) -> bool:
        """Say whether these are kept, and no others."""
        kept = {name: keeper.spec for name, keeper in self._kept.items() if not keeper.leaving}
        return {spec.name: spec for spec in specs} == kept

    def leave(self) -> None:
        """End all after the writes that are in flight."""
        _ended(self._kept.values())

    def _started(self, spec: LedgerSpec) -> Keeper:
        keeper = self._make(spec)
        keeper.start()
        return keeper


def _ended(keepers: Iterable[Keeper]) -> list[Keeper]:
    """Tell them to leave, and name those that did."""
    keepers = list(keepers)
    for keeper in keepers:
        keeper.leave()
    return [keeper for keeper in keepers if keeper.join()]


class LedgerWatch:
    """Looks at the file on a thread of its own, and has kept what it says; a broken one changes nothing."""

    def __init__(self, file: Path, ledgers: Ledgers, every: timedelta = _LOOKED_EVERY) -> None:
        self._file = file
        self._ledgers = ledgers
        self._every = every
        self._seen: _Seen | None = None
        self._problem = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledgers' file", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Read the file if it changed since it was last read well; what is wrong is said once."""
        try:
            seen = self._state()
            if seen == self._seen:
                return
            specs = read_ledgers(self._file)
            if self._state() != seen:  # it is being written: whole at the next look
                return
            self._keep(specs)
        except (SteadfleetError, OSError) as error:
            self._tell(str(error))
            return
        self._problem = ""
        # Where a ledger still hangs, the file is as good as unread.
        self._seen = seen if self._ledgers.keeps(specs) else None

    def _keep(self, specs: tuple[LedgerSpec, ...]) -> None:
        if self._ledgers.keeps(specs):
            return
        self._ledgers.keep(specs)
        _log.info("the ledgers' file was read again", file=str(self._file), ledgers=", ".join(self._ledgers))

    def _state(self) -> _Seen:
        found = self._file.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            _log.error(
                "the ledgers' file cannot be followed: the ledgers from before go on",
                file=str(self._file),
                problem=problem,
            )
        self._problem = problem

    def _run(self) -> None:
        while not self._stop.wait(self._every.total_seconds()):
            try:
                self.look()
            except Exception:  # noqa: BLE001  # a thread that dies would be a file that nobody reads
                _log.exception("the ledgers' file met what was not expected", file=str(self._file))

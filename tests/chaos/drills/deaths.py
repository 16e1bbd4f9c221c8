"""Who dies at which moments of a drill: each once, and started again at once."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from chaos.moments import Moment
from chaos.stage import Killable

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.calls import Call
from steadfleet_local_cloud.faults import Fault, Kind, Release


@dataclass(frozen=True)
class Death:
    """SIGKILL for one or more. The call of the moment has no answer, unless its caller lives on."""

    of: tuple[Killable, ...]
    then: Release = "drop"


@dataclass
class Deaths:
    """Strikes each moment once; `met` says which there were."""

    cloud: LocalCloud
    deaths: Mapping[Moment, Death]
    met: list[Moment] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Let them happen meanwhile; at the end each must have happened."""
        faults = self.cloud.faults
        strike, hold = faults.strike_call, faults.hold
        counts = {moment: itertools.count(1) for moment in self.deaths}
        faults.strike_call = self._striking(strike, counts)  # type: ignore[method-assign, assignment]
        faults.hold = self._kill  # type: ignore[method-assign]
        try:
            yield
        finally:
            faults.strike_call, faults.hold = strike, hold  # type: ignore[method-assign]
        assert set(self.met) == set(self.deaths), f"never came to {set(self.deaths) - set(self.met)}"

    def _striking(
        self, strike: Callable[[Call], list[Fault]], counts: "Mapping[Moment, itertools.count[int]]"
    ) -> Callable[[Call], list[Fault]]:
        def struck(call: Call) -> list[Fault]:
            found = strike(call)
            with self._lock:
                for moment in self.deaths:
                    if moment in self.met or not moment.matches(call):
                        continue
                    if next(counts[moment]) == moment.number:
                        self.met.append(moment)
                        number = str(list(self.deaths).index(moment))
                        return [*found, Fault(id=number, kind=Kind.HOLD, when=moment.when)]
            return found

        return struck

    def _kill(self, fault: Fault, call: Call) -> Release:
        death = list(self.deaths.values())[int(fault.id)]
        with self._lock:
            for victim in death.of:
                victim.kill()
        return death.then

"""Plays a wave's events against a budget's window, in any order, and holds it to its promises."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hypothesis import strategies as st

from steadfleet_core.campaign.budget import Limits, Window
from steadfleet_core.campaign.policy import ToleranceMode

ZONES = ("a", "b", "c")


class BrokenPromiseError(AssertionError):
    """A window let happen what it promises to prevent."""


@contextmanager
def promised(what: str) -> Iterator[list[bool]]:
    """Collect conditions that must hold; the name of the promise is the message."""
    conditions: list[bool] = []
    yield conditions
    if not all(conditions):
        raise BrokenPromiseError(what)


@dataclass
class Wave:
    """Hosts by zone and by what became of them, counted apart from the window that they test."""

    window: Window
    waiting: Counter[str]
    ill: Counter[str]
    """Out of service beyond what a window can prevent: before it, or in a bake."""

    in_flight: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    late: int = 0
    _excused: bool = False

    def out(self) -> Counter[str]:
        return self.in_flight + self.failed + self.ill

    def events(self) -> list[tuple[Callable[[str], None], str]]:
        """Return all that could happen next, in an order that does not depend on chance."""
        return [
            *((self._start, zone) for zone in ZONES if self.waiting[zone] and self.window.admits(zone)),
            *((self._succeed, zone) for zone in ZONES if self.in_flight[zone]),
            *((self._fail, zone) for zone in ZONES if self.in_flight[zone]),
            *((self._restore, zone) for zone in ZONES if self.failed[zone] + self.ill[zone]),
            *((self._try_again, zone) for zone in ZONES if self._may_try_again(zone)),
            *((self._fall_ill, zone) for zone in ZONES if self.changed[zone]),
        ]

    def _may_try_again(self, zone: str) -> bool:
        return bool(self.failed[zone] + self.ill[zone]) and self.window.admits(zone, already_out=True)

    def _start(self, zone: str) -> None:
        self._move(zone, self.waiting)
        limits = self.window.limits
        with promised("a start takes no more hosts out of service than the budgets have") as that:
            that += [self.out()[zone] <= limits.zones[zone], self.out().total() <= limits.overall]

    def _try_again(self, zone: str) -> None:
        self.window.restore(zone)
        self._move(zone, self.failed if self.failed[zone] else self.ill)
        limits = self.window.limits
        with promised("hosts that were out already are in flight within the budgets, too") as that:
            that += [self.in_flight[zone] <= limits.zones[zone], self.in_flight.total() <= limits.overall]

    def _move(self, zone: str, from_: Counter[str]) -> None:
        with promised("no host starts in an unhealthy wave") as that:
            that.append(self.failures + self.late <= self.window.limits.tolerance)
        from_[zone] -= 1
        self.in_flight[zone] += 1
        self.window.start(zone)

    def _succeed(self, zone: str) -> None:
        self.in_flight[zone] -= 1
        self.changed[zone] += 1
        self.window.succeed(zone)

    def _fail(self, zone: str) -> None:
        self.in_flight[zone] -= 1
        self.failed[zone] += 1
        self.failures += 1
        self.window.fail(zone)

    def _fall_ill(self, zone: str) -> None:
        self.changed[zone] -= 1
        self.ill[zone] += 1
        self.late += 1
        self.window.fail_late(zone)

    def _restore(self, zone: str) -> None:
        (self.failed if self.failed[zone] else self.ill)[zone] -= 1
        self.window.restore(zone)

    def check(self) -> None:
        limits = self.window.limits
        in_flight = self.in_flight.total()
        with promised("the window counts what happened") as that:
            that.append(self.window.failed == self.failures + self.late)
            that += [self.window.in_flight[zone] == self.in_flight[zone] for zone in ZONES]
            that += [self.window.unrestored[zone] == (self.failed + self.ill)[zone] for zone in ZONES]
        with promised("without ill hosts the budgets are never exceeded") as that:
            that.append(self._within_budgets() or self._excused)
        with promised("in flight never exceeds tolerance - failed + 1 under STRICT") as that:
            that.append(not limits.strict or in_flight + self.failures <= limits.tolerance + 1)
        with promised("failures of changes are bounded") as that:
            beyond = 1 if limits.strict else limits.overall
            that.append(self.failures <= limits.tolerance + beyond)
        if in_flight == 0 and self.failures + self.late <= limits.tolerance:
            self._check_progress()

    def _within_budgets(self) -> bool:
        """Keep in mind that ill hosts exceeded them: tried again in vain, those are failed, and still out."""
        limits, out = self.window.limits, self.out()
        within = out.total() <= limits.overall and all(out[zone] <= limits.zones[zone] for zone in ZONES)
        self._excused = bool(self.ill.total() or self.late) or (self._excused and not within)
        return within

    def _check_progress(self) -> None:
        with promised("a host that is out already can be worked on when nothing is in flight") as that:
            out = [zone for zone in ZONES if self.out()[zone]]
            that += [self.window.admits(zone, already_out=True) for zone in out]
        with promised("a healthy wave with nothing out of service goes on") as that:
            quiet = self.out().total() == 0
            that += [self.window.admits(zone) for zone in ZONES if quiet and self.waiting[zone]]


@dataclass(frozen=True)
class Run:
    """A wave's limits and hosts, and which of the possible events come, in which order."""

    limits: Limits
    waiting: dict[str, int]
    ill: dict[str, int]
    choices: list[int]


def per_zone(least: int, most: int) -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries({zone: st.integers(least, most) for zone in ZONES})


runs = st.builds(
    Run,
    limits=st.builds(
        Limits,
        overall=st.integers(1, 8),
        zones=per_zone(1, 4),
        tolerance=st.integers(0, 4),
        mode=st.sampled_from(ToleranceMode),
    ),
    waiting=per_zone(0, 12),
    ill=st.just(dict.fromkeys(ZONES, 0)) | per_zone(0, 6),
    choices=st.lists(st.integers(0, 10_000), max_size=120),
)


def play(window: type[Window], run: Run) -> None:
    """Let the events happen; raises `BrokenPromiseError` at the first broken promise."""
    wave = Wave(
        window(run.limits, unrestored=Counter(run.ill)), waiting=Counter(run.waiting), ill=Counter(run.ill)
    )
    wave.check()
    for choice in run.choices:
        events = wave.events()
        if not events:
            return
        happen, zone = events[choice % len(events)]
        happen(zone)
        wave.check()

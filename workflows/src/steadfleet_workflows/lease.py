"""A lease: what a run makes for a time is taken away, whatever becomes of the run."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from steadfleet_core.model import format_duration
from steadfleet_durable.metrics import count
from steadfleet_durable.options import BRIEF, HEARTBEAT_TIMEOUT, QUICK
from steadfleet_ports.lease import (
    LEASE_WORKFLOW,
    TERM,
    Janitor,
    LeaseOrder,
    LeaseState,
    LeaseStatus,
    Left,
    Obligation,
    Owner,
    OwnerState,
    Renewal,
    Residue,
    Sweep,
)
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.lease_book import ContinuedLease, LeaseBook, details
from steadfleet_workflows.refusal import refused
from steadfleet_workflows.renewal import continue_as_new, should_continue_as_new
from steadfleet_workflows.steering import wind_down

SETTLE_TIME = 2 * HEARTBEAT_TIMEOUT
"""How long an owner must be seen closed: what its last words began shows in visibility, or ends, by then."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=30)
MOST_ALARMS = 20
ALARMS = "steadfleet_lease_alarms"
_OVER = {LeaseState.SWEEPING, LeaseState.WATCHING, LeaseState.ENDED, LeaseState.REFUSED}


@workflow.defn(name=LEASE_WORKFLOW)
class Lease:
    """Hold for as long as the owner lives; then put back, take away, and insist until nothing is left."""

    @workflow.init
    def __init__(self, order: LeaseOrder | ContinuedLease) -> None:
        self.sweep = _since(order.sweep)
        term = order.term or TERM
        self.book = (
            order.book
            if isinstance(order, ContinuedLease)
            else LeaseBook(owner=order.owner, term=term, expires_at=workflow.now() + term)
        )
        self._closing = self._unanswered = False

    @workflow.run
    async def run(self, order: LeaseOrder | ContinuedLease) -> Residue:
        return await wind_down(self._keep(), on_cancel=self._cancelled)

    # -- the story

    async def _keep(self) -> Residue:
        if self.book.state not in _OVER:
            await self._hold()
        if self.book.state is not LeaseState.REFUSED:
            await self._clear()
            if not self._closing:
                await self._wait(self.book.expires_at)
                await self._clear()
            self.book.state = LeaseState.ENDED
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.book.residue

    async def _hold(self) -> None:
        """Look at the owner at every term; return when it is gone, or says that it has cleaned up."""
        while not self._released:
            self._show()
            await self._wait(min(workflow.now() + self.book.term, self.book.expires_at))
            if not self._released:
                look = await self._look()
                if not look.open and await self._stays_closed():
                    self._alarm(f"{look.said}, and has not closed its lease: what it left is taken away")
                    return
                self._extend_if_silent(look)
                await self._continue_as_new_if_long()

    async def _look(self) -> OwnerState:
        """Look at the owner; a look that fails tells nothing, and a live owner is never acted upon."""
        try:
            return await workflow.execute_activity_method(Janitor.look_at_owner, self.book.owner, **QUICK)
        except ActivityError as error:
            why = f"{self.book.owner.workflow} could not be looked at: {root_cause(error)}"
            return OwnerState(open=True, said=why)

    async def _stays_closed(self) -> bool:
        """Look once more after a while: what an owner began last may not be seen at first."""
        await self._wait(workflow.now() + SETTLE_TIME)
        return not (self._released or (await self._look()).open or self._released)

    def _extend_if_silent(self, look: OwnerState) -> None:
        if workflow.now() >= self.book.expires_at:
            self.book.expires_at = workflow.now() + self.book.term
            self._alarm(f"not renewed, and extended: {look.said or self.book.owner.workflow + ' is open'}")

    async def _clear(self) -> None:
        """Put back and take away until nothing is left; each time in vain is an alarm."""
        self.book.state = LeaseState.SWEEPING
        for pause in _pauses():
            await self._discharge_all()
            await self._take_away()
            self._unanswered = False
            left = [str(one) for one in self.book.residue.left]
            left += [f"{one.kind} {one.subject}" for one in self.book.obligations]
            if not left:
                self.book.state = LeaseState.WATCHING
                return
            self._alarm(f"still to do, tried again in {format_duration(pause)}: {'; '.join(left[:10])}")
            await self._continue_as_new_if_long()
            await self._wait(workflow.now() + pause)

    async def _discharge_all(self) -> None:
        for obligation in list(self.book.obligations):
            try:
                await workflow.execute_activity_method(Janitor.discharge, obligation, **BRIEF)
            except ActivityError as error:
                self._alarm(f"could not {obligation.kind} {obligation.subject}: {root_cause(error)}")
            else:
                self.book.obligations.remove(obligation)

    async def _take_away(self) -> None:
        """Look, and sweep what is left; what could not even be looked at counts as left."""
        try:
            found = await workflow.execute_activity_method(Janitor.find_residue, self.sweep, **BRIEF)
            if found.left:
                found = await workflow.execute_activity_method(Janitor.sweep_run, self.sweep, **BRIEF)
        except ActivityError as error:
            unseen = Left(region="", type="run", id=self.sweep.run, why=root_cause(error))
            found = Residue(left=(unseen,), spared=self.book.residue.spared)
        for spared in found.spared:
            if spared not in self.book.residue.spared:
                self._alarm(f"left alone, for it serves: {spared}; a person must look at it")
        removed = dict.fromkeys((*self.book.residue.removed, *found.removed))
        self.book.residue = found.model_copy(update={"removed": tuple(removed)})

    # -- what the owner says

    @workflow.update
    async def open(self, order: LeaseOrder) -> LeaseStatus:  # the port's own verb
        """Answer when the janitor may do all that the lease would ask of it; asking again is safe."""
        widened = _since(order.sweep, self.sweep.since) != self.sweep
        self._take_in(order)
        if widened or self.book.state is LeaseState.OPENING:
            await self._rehearse()
        self._refuse_if_over()
        self._renew(self.book.term)
        self._show()
        return self.status()

    @open.validator  # noqa: A003  # the port's own verb
    def _may_open(self, order: LeaseOrder) -> None:
        self._refuse_stranger(order.owner)
        self._refuse_if_over()

    @workflow.update
    async def oblige(self, obligation: Obligation) -> LeaseStatus:
        """Take on something more to put back."""
        if obligation not in self.book.obligations:
            self.book.obligations.append(obligation)
        self._show()
        return self.status()

    @oblige.validator
    def _may_oblige(self, obligation: Obligation) -> None:
        self._refuse_if_over()

    @workflow.update
    async def close(self, owner: Owner) -> Residue:
        """Look after the owner has cleaned up, take away what is left, and say what was there."""
        if self.book.state not in {LeaseState.ENDED, LeaseState.REFUSED}:
            self._closing = self._unanswered = True
            await workflow.wait_condition(lambda: not self._unanswered)
        return self.book.residue

    @close.validator
    def _may_close(self, owner: Owner) -> None:
        self._refuse_stranger(owner)

    @workflow.signal(description="The owner lives: its lease holds for another term.")
    def renew(self, renewal: Renewal | None = None) -> None:
        self._renew((renewal and renewal.hold) or self.book.term)

    @workflow.query
    def status(self) -> LeaseStatus:
        book = self.book
        return LeaseStatus(
            run=self.sweep.run,
            owner=book.owner,
            term=book.term,
            expires_at=book.expires_at,
            state=book.state,
            obligations=tuple(book.obligations),
            residue=book.residue,
            alarms=tuple(book.alarms),
        )

    # -- how

    @property
    def _released(self) -> bool:
        """Whether nothing is to be held any more."""
        return self._closing or self.book.state is LeaseState.REFUSED

    async def _rehearse(self) -> None:
        try:
            problems = await workflow.execute_activity_method(Janitor.rehearse_sweep, self.sweep, **QUICK)
        except ActivityError as error:
            problems = (f"it could not rehearse its deletes: {root_cause(error)}",)
        if self.book.state is LeaseState.OPENING:
            self.book.state = LeaseState.REFUSED if problems else LeaseState.HELD
        if problems:
            raise refused(f"the janitor may not clean up after {self.sweep.run}: {'; '.join(problems)}")

    def _take_in(self, order: LeaseOrder) -> None:
        self.sweep = _since(order.sweep, self.sweep.since)
        self.book.term = order.term or self.book.term
        new = [one for one in order.obligations if one not in self.book.obligations]
        self.book.obligations += new

    def _renew(self, hold: timedelta) -> None:
        self.book.expires_at = max(self.book.expires_at, workflow.now() + hold)

    def _refuse_stranger(self, owner: Owner) -> None:
        if owner != self.book.owner:
            ours = self.book.owner
            raise refused(
                f"lease/{self.sweep.run} belongs to {ours.workflow} (run {ours.run}), not to "
                f"{owner.workflow} (run {owner.run}): give each run its own name"
            )

    def _refuse_if_over(self) -> None:
        if self._released or self.book.state in _OVER:
            raise ApplicationError(
                f"lease/{self.sweep.run} is {self.book.state}: it takes nothing more on; begin a new run",
                type="LeaseEndingError",
            )

    def _cancelled(self) -> None:
        self._alarm("a cancel changes nothing: the lease ends when its owner has, and all is taken away")

    def _alarm(self, said: str) -> None:
        """Tell a person: in the log, which an alert watches, in the details and in the status."""
        workflow.logger.error("lease alarm: %s: %s", self.sweep.run, said)
        count(ALARMS, "Alarms that leases raised.")
        self.book.alarms = [*self.book.alarms, f"{workflow.now():%Y-%m-%d %H:%M:%SZ} {said}"][-MOST_ALARMS:]
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(details(self.status()))

    async def _wait(self, until: datetime) -> None:
        """Wait for that time, or until the owner closes the lease."""
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._unanswered or self.book.state is LeaseState.REFUSED,
                timeout=max(until - workflow.now(), timedelta(0)),
            )

    async def _continue_as_new_if_long(self) -> None:
        if not should_continue_as_new():
            return
        # A close waits for the story to go on: it is never waited for here.
        await workflow.wait_condition(lambda: self._unanswered or workflow.all_handlers_finished())
        if not self._unanswered:
            continue_as_new(ContinuedLease(sweep=self.sweep, owner=self.book.owner, book=self.book))


def _since(sweep: Sweep, since: datetime | None = None) -> Sweep:
    """Note when the run began: a thing of the same name that is older is somebody else's."""
    return sweep if sweep.since else sweep.model_copy(update={"since": since or workflow.now()})


def _pauses() -> Iterator[timedelta]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)

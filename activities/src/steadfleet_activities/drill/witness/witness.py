"""The witness's activities: what it did not see itself, it does not say."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from steadfleet_activities.drill.witness.databases import Database
from steadfleet_activities.drill.witness.folder import WitnessFolder
from steadfleet_activities.drill.witness.keeper import Keeper
from steadfleet_activities.drill.witness.passwords import Passwords
from steadfleet_activities.drill.witness.probing import ServiceProbe, Target
from steadfleet_activities.drill.witness.reconciling import Reconciler
from steadfleet_activities.drill.witness.resolving import Names, UnresolvedError
from steadfleet_activities.drill.witness.sealing import SealedLedgers
from steadfleet_activities.drill.witness.watching import Watcher
from steadfleet_activities.fleet.errors import at_the_edge
from steadfleet_core.drill.measuring import DataLoss, Observation, Sample, SealedLedger
from steadfleet_core.errors import RefusedError
from steadfleet_durable import Heartbeat, unbroken
from steadfleet_ports.witness import Declaration, Declared, Reconciliation, Watch, Witness

_RESOLVED_WITHIN = 5.0


@dataclass(frozen=True)
class IndependentWitness(Witness):
    """Runs in a process of its own, with a folder, a clock and ledgers of its own."""

    folder: WitnessFolder
    keepers: Mapping[str, Keeper]
    sealed: SealedLedgers
    passwords: Passwords
    names: Names
    now: Callable[[], datetime]

    @activity.defn
    async def declare_disaster(self, declaration: Declaration) -> Declared:
        with at_the_edge(f"declare disaster for {declaration.run}"):
            return await unbroken(self._declare, declaration)

    @activity.defn
    async def watch_recovery(self, watch: Watch) -> Observation:
        """Return what was seen, also when the drill is aborted; a worker that leaves hands over instead."""
        async with Heartbeat() as beat, ServiceProbe(self.names) as probe:
            seen = beat.resume(Observation) or _nothing_seen(watch)
            samples = self.folder.samples(watch.run, watch.service)

            def note(sample: Sample, now_seen: Observation) -> None:
                nonlocal seen
                seen = now_seen
                beat.step("watch", seen)
                samples.append(sample)

            target = Target(watch.host, watch.port, watch.readiness)
            until = watch.declared_at + watch.time_limit
            try:
                await Watcher(probe, self.now).watch(seen, target, until, note)
            except asyncio.CancelledError:
                if not _aborted():
                    raise
            finally:
                await unbroken(samples.close)
            return seen

    @activity.defn
    async def reconcile_ledger(self, reconciliation: Reconciliation) -> DataLoss:
        keeper = self.keepers.get(reconciliation.ledger)
        address = await self._address(reconciliation.host)

        def database(asked: Reconciliation) -> Database:
            password = self.passwords.read(asked.password)
            return Database(asked.host, asked.port, asked.database, asked.user, password, address)

        with at_the_edge(f"reconcile ledger {reconciliation.ledger} with {reconciliation.store}"):
            return await unbroken(
                Reconciler(self.sealed.get, database).reconcile,
                reconciliation,
                keeper.spec.table if keeper else None,
            )

    def _declare(self, declaration: Declaration) -> Declared:
        """Stamp the time before all else: what follows may take long, and may be tried again."""
        at = self.folder.declared_at(declaration.run, self.now)
        if before := self.folder.declared(declaration.run):
            return before
        declared = Declared(at=at, ledgers=tuple(self._seal(name, at) for name in declaration.ledgers))
        self.folder.keep_declared(declaration.run, declared)
        return declared

    def _seal(self, name: str, at: datetime) -> SealedLedger:
        keeper = self.keepers.get(name)
        if keeper is None:
            known = ", ".join(sorted(self.keepers)) or "none at all"
            return SealedLedger(name=name, problem=f"this witness keeps no ledger {name}; it keeps {known}")
        try:
            entries = keeper.journal.sealed(at)
            if not entries:
                why = f": {keeper.problem}" if keeper.problem else ""
                return SealedLedger(name=name, problem=f"ledger {name} has no acknowledged write{why}")
            return self.sealed.put(name, entries)
        except RefusedError as error:
            return SealedLedger(name=name, problem=str(error))

    async def _address(self, host: str) -> str:
        """Resolve as for a probe; what the drill's own resolver does not know, the system may."""
        try:
            async with asyncio.timeout(_RESOLVED_WITHIN):
                return await self.names.address_of(host)
        except (UnresolvedError, TimeoutError):
            return ""


def _nothing_seen(watch: Watch) -> Observation:
    return Observation(
        service=watch.service,
        declared_at=watch.declared_at,
        interval=watch.probing.interval,
        successes=watch.probing.successes,
    )


def _aborted() -> bool:
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested

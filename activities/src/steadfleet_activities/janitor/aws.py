"""The janitor on AWS, and on a Docker engine where a run has used one."""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Self

import httpx
from botocore.exceptions import ClientError
from temporalio import activity
from temporalio.client import Client

from steadfleet_activities.client import client_of
from steadfleet_activities.configuring import ATTESTATIONS, attestations_bucket, plans_bucket
from steadfleet_activities.fleet.clients import SLOTS, region_required, settings_from
from steadfleet_activities.fleet.errors import UNCLEAR, at_the_edge, code_of
from steadfleet_activities.fleet.holds import Holds
from steadfleet_activities.fleet.members import Members
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.docker import DEFAULT_HOST, PLACE, DockerEngine
from steadfleet_activities.janitor.inventory import Inventory
from steadfleet_activities.janitor.owners import look_at
from steadfleet_activities.janitor.rehearsal import global_refusals, refusals
from steadfleet_activities.janitor.removal import PATIENCE, SLOW_PATIENCE, Looking, Removal
from steadfleet_activities.janitor.scope import Scope
from steadfleet_activities.janitor.zones import GLOBAL, Zones
from steadfleet_durable import Heartbeat, unbroken
from steadfleet_durable.settings import read_time
from steadfleet_ports.lease import Janitor, Left, Obligation, Owner, OwnerState, Residue, Sweep


class AwsJanitor(Janitor):
    """Serves every region that it is asked for, with the one role of its process."""

    def __init__(
        self,
        regional: Callable[[str], JanitorAws],
        *,
        client: Client | None = None,
        docker_host: str = DEFAULT_HOST,
        patience: timedelta = PATIENCE,
        slow_patience: timedelta = SLOW_PATIENCE,
        bundles: str = ATTESTATIONS,
    ) -> None:
        self._regional = regional
        self._regions: dict[str, JanitorAws] = {}
        self._client = client
        self._docker_host = docker_host
        self._patience = patience
        self._slow_patience = slow_patience
        self._bundles = bundles

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None, *, slots: int = SLOTS) -> Self:
        """Build it from AWS's own variables, DOCKER_HOST and ours.

        STEADFLEET_ATTESTATIONS_BUCKET; STEADFLEET_SWEEP_PATIENCE, how long a database or a group may go
        on without going. Raises `WorkerConfigError` where one cannot be right.
        """
        given = dict(os.environ if env is None else env)
        said = {name: value for name, value in given.items() if value}
        settings = settings_from(given)
        plans_bucket(given)  # the other workers': what cannot be right is said by whoever meets it first

        def regional(region: str) -> JanitorAws:
            with region_required():
                return JanitorAws.connect(
                    slots=slots, **(settings | ({"region_name": region} if region else {}))
                )

        return cls(
            regional,
            docker_host=given.get("DOCKER_HOST") or DEFAULT_HOST,
            slow_patience=read_time(said, "STEADFLEET_SWEEP_PATIENCE", "12m"),
            bundles=attestations_bucket(given),
        )

    @activity.defn
    async def rehearse_sweep(self, sweep: Sweep) -> tuple[str, ...]:
        found: list[str] = []
        with at_the_edge(f"rehearsing the sweep of {sweep.run}"):
            scope = Scope.of(sweep)
            for region in self._places(sweep):
                found += await unbroken(lambda: refusals(self._at(region), scope, self._bundles))
            for region in self._places(sweep)[:1]:
                found += await unbroken(lambda: global_refusals(self._at(region), scope))
            if sweep.docker and (problem := await unbroken(self._engine_problem)):
                found.append(problem)
        return tuple(found)

    @activity.defn
    async def find_residue(self, sweep: Sweep) -> Residue:
        async with Heartbeat():
            return await self.find(Scope.of(sweep), self._places(sweep), docker=sweep.docker)

    @activity.defn
    async def sweep_run(self, sweep: Sweep) -> Residue:
        async with Heartbeat():
            return await self.remove(Scope.of(sweep), self._places(sweep), docker=sweep.docker)

    @activity.defn
    async def discharge(self, obligation: Obligation) -> None:
        with at_the_edge(f"{obligation.kind} {obligation.subject}"):
            await unbroken(self._release_group, obligation)

    @activity.defn
    async def look_at_owner(self, owner: Owner) -> OwnerState:
        return await look_at(client_of(self._client), owner)

    def own_region(self) -> str:
        """Return the region that AWS's own variables name. Raises `RefusedError` when they name none."""
        return self._at("").region

    # -- the same without Temporal, for `steadfleet sweep`

    async def find(self, scope: Scope, regions: tuple[str, ...], *, docker: bool) -> Residue:
        """Look only; a place that cannot be looked at counts as left."""
        found = [await self._find_at(region, Zones, GLOBAL, scope) for region in regions[:1]]
        found += [await self._find_at(region, Inventory, region, scope) for region in regions]
        if docker:
            found.append(await self._in_docker(lambda engine: Residue(left=_all(engine, scope))))
        return _sum(found)

    async def remove(self, scope: Scope, regions: tuple[str, ...], *, docker: bool) -> Residue:
        """Remove what there is; one place that refuses does not keep the others."""
        found = [await self._in_docker(lambda engine: engine.sweep(scope))] if docker else []
        # A private zone goes before the networks that it answers in.
        found += [await self._remove_at(region, Zones, GLOBAL, scope) for region in regions[:1]]
        found += [await self._remove_at(region, Inventory, region, scope) for region in regions]
        return _sum(found)

    async def _find_at(
        self, region: str, look_into: Callable[[JanitorAws], Looking], place: str, scope: Scope
    ) -> Residue:
        try:
            aws = await unbroken(self._at, region)
            found = await unbroken(look_into(aws).look, scope)
        except UNCLEAR as error:
            return _unseen(place, scope, error)
        return Residue(left=tuple(one.left() for one in found.things), spared=tuple(found.spared))

    async def _remove_at(
        self, region: str, look_into: Callable[[JanitorAws], Looking], place: str, scope: Scope
    ) -> Residue:
        try:
            aws = await unbroken(self._at, region)
            removal = Removal(aws, look_into(aws), self._patience, self._bundles, self._slow_patience)
            return await removal.sweep(scope)
        except UNCLEAR as error:
            return _unseen(place, scope, error)

    async def _in_docker(self, work: Callable[[DockerEngine], Residue]) -> Residue:
        def at_work() -> Residue:
            with DockerEngine(self._docker_host) as engine:
                return work(engine)

        try:
            return await unbroken(at_work)
        except httpx.HTTPError as error:
            why = f"the Docker engine does not answer: {error}"
            return Residue(left=(Left(region=PLACE, type="engine", id=self._docker_host, why=why),))

    def _release_group(self, obligation: Obligation) -> None:
        aws = self._at(obligation.region)
        Holds(aws, Members(aws)).release_group(obligation.subject, obligation.detail, obligation.run)

    def _at(self, region: str) -> JanitorAws:
        if region not in self._regions:
            self._regions[region] = self._regional(region)
        return self._regions[region]

    def _engine_problem(self) -> str | None:
        with DockerEngine(self._docker_host) as engine:
            return engine.problem()

    @staticmethod
    def _places(sweep: Sweep) -> tuple[str, ...]:
        """Return the regions to look at; the janitor's own where the sweep names no place at all."""
        return sweep.regions or (() if sweep.docker else ("",))


def _all(engine: DockerEngine, scope: Scope) -> tuple[Left, ...]:
    return tuple(thing.left() for thing in engine.look(scope))


def _sum(found: list[Residue]) -> Residue:
    return Residue(
        left=tuple(left for one in found for left in one.left),
        removed=tuple(removed for one in found for removed in one.removed),
        spared=tuple(spared for one in found for spared in one.spared),
    )


def _unseen(region: str, scope: Scope, error: Exception) -> Residue:
    """Count a region that could not be looked at as left: what cannot be seen is not clean."""
    why = f"{code_of(error)}: {error}" if isinstance(error, ClientError) else str(error)
    return Residue(left=(Left(region=region, type="region", id=scope.run or "all", why=why),))

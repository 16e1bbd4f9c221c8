"""Drills: the drivers joined, each store and service served by the one of its type."""

import os
from collections.abc import Iterable, Mapping
from itertools import chain
from socket import gethostname
from typing import Self, TypeVar

from temporalio import activity

from steadfleet_activities.configuring import plans_bucket
from steadfleet_activities.drill.aws.clients import Regions
from steadfleet_activities.drill.aws.images import DrillImages
from steadfleet_activities.drill.aws.networks import AwsNetworks
from steadfleet_activities.drill.aws.parameters import parameters_of
from steadfleet_activities.drill.aws.services import GroupServices
from steadfleet_activities.drill.aws.stores import RdsStores
from steadfleet_activities.drill.databases import Databases, Login
from steadfleet_activities.drill.drivers import (
    Facts,
    Inspected,
    NetworkDriver,
    Service,
    ServiceDriver,
    Store,
    StoreDriver,
)
from steadfleet_activities.drill.inspecting import inspected_secrets
from steadfleet_activities.drill.placeholders import filled, refuse_unknown
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_activities.drill.resolving import Resolving, UnresolvedError
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_activities.drill.validating import Validating
from steadfleet_activities.fleet.clients import SLOTS
from steadfleet_activities.fleet.trust import Verifier
from steadfleet_activities.image.errors import at_the_edge
from steadfleet_activities.reports import ReportFolder
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import DrillSpec
from steadfleet_core.drill.report import CheckResult, IsolationResult, Preflight
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import NotBuiltError
from steadfleet_core.model import Digest
from steadfleet_durable import Heartbeat, unbroken
from steadfleet_ports.drill import (
    DrillInspection,
    DrillPreparation,
    Drills,
    IsolationProbe,
    Made,
    PastReports,
    Reports,
    StepRequest,
    StoredReport,
    ValidationRequest,
)

PROFILE = "STEADFLEET_DRILL_INSTANCE_PROFILE"
_MOST_BYTES = 1_500_000
"""Of all reports that are read at once: they travel in one payload, which may have 2 MB."""
_Driver = TypeVar("_Driver")


class PlatformDrills(Drills):
    """Joins the drivers, by type. `networks` are by the types that they serve; one may serve several."""

    def __init__(
        self,
        stores: Mapping[str, StoreDriver],
        services: Mapping[str, ServiceDriver],
        networks: Mapping[str, NetworkDriver],
        *,
        secrets: Secrets,
        reports: ReportFolder,
        resolving: Resolving,
    ) -> None:
        self._stores = stores
        self._services = services
        self._networks = networks
        self._secrets = secrets
        self._reports = reports
        self._resolving = resolving
        self._databases = Databases(resolving)
        self._validating = Validating(self._databases, resolving, secrets, services)

    @classmethod
    def from_environment(
        cls,
        env: Mapping[str, str] | None = None,
        *,
        slots: int = SLOTS,
        verifier: Verifier | None = None,
        stores: Mapping[str, StoreDriver] | None = None,
        services: Mapping[str, ServiceDriver] | None = None,
        networks: Mapping[str, NetworkDriver] | None = None,
    ) -> Self:
        """Build it from AWS's own variables and ours, with further drivers by their types.

        STEADFLEET_BUCKET; STEADFLEET_RESOLVER, a DNS resolver (`host:port`) that knows the drill's names;
        STEADFLEET_DRILL_VPC, a VPC that was prepared for drills in the recovery region;
        STEADFLEET_DRILL_CALLERS, the addresses (CIDR) from which worker and witness come, if not from
        inside that VPC; STEADFLEET_DRILL_INSTANCE_PROFILE, with which SSM reaches the machines; what
        `PostgresStores` reads.
        """
        given = os.environ if env is None else env
        regions = Regions.from_environment(given, slots=slots)
        resolving = Resolving.from_environment(given)
        secrets = Secrets(given, parameters_of(regions))
        network = AwsNetworks.from_environment(regions, given)
        groups = GroupServices(regions, network, DrillImages(verifier), given.get(PROFILE, ""))
        return cls(
            {
                "rds": RdsStores(regions, network, Databases(resolving), secrets),
                "postgres": PostgresStores.from_environment(secrets, given),
                **(stores or {}),
            },
            {"group": groups, **(services or {})},
            {"rds": network, "group": network, **(networks or {})},
            secrets=secrets,
            reports=ReportFolder(regions.at_home.s3, "drills", plans_bucket(given)),
            resolving=resolving,
        )

    @activity.defn
    async def prepare_drill(self, preparation: DrillPreparation) -> Drill:
        with at_the_edge(f"preparing {preparation.run}"):
            async with Heartbeat():
                return await self._prepare(preparation)

    @activity.defn
    async def inspect_drill(self, inspection: DrillInspection) -> Preflight:
        with at_the_edge(f"inspecting {inspection.drill.run}"):
            async with Heartbeat():
                found = await self._inspect(inspection)
                return Preflight(at=inspection.at, findings=found.findings, checked=found.checked)

    @activity.defn
    async def isolate_drill(self, request: StepRequest) -> Made:
        with at_the_edge("isolating the drill"):
            async with Heartbeat() as beat:
                facts: Facts = {}
                for network in self._networks_of(request.drill.plan.spec):
                    facts |= await network.isolate(request, beat.step)
                return Made(facts=facts)

    @activity.defn
    async def replicate_store(self, request: StepRequest) -> Made:
        store = _store(request)
        with at_the_edge(f"replicating {store.name}"):
            async with Heartbeat() as beat:
                return Made(facts=await self._store_driver(store).replicate(store, request, beat.step))

    @activity.defn
    async def restore_store(self, request: StepRequest) -> Made:
        store = _store(request)
        with at_the_edge(f"restoring {store.name}"):
            async with Heartbeat() as beat:
                facts = await self._store_driver(store).restore(store, request, beat.step)
                beat.step(f"waiting until {store.name} takes writes")
                password = await unbroken(self._secrets.read, store.password, request.drill.region)
                login = Login(facts["host"], int(facts["port"]), store.database, store.user, password)
                await self._databases.await_writable(login, store.restore_time_limit)
                return Made(facts=facts)

    @activity.defn
    async def provision_service(self, request: StepRequest) -> Made:
        service = _service(request)
        with at_the_edge(f"provisioning {service.name}"):
            async with Heartbeat() as beat:
                return Made(facts=await self._service_driver(service).provision(service, request, beat.step))

    @activity.defn
    async def start_service(self, request: StepRequest) -> Made:
        service = _service(request)
        with at_the_edge(f"starting {service.name}"):
            async with Heartbeat() as beat:
                environment = filled(service, request.drill, request.made)
                driver = self._service_driver(service)
                return Made(facts=await driver.start(service, request, environment, beat.step))

    @activity.defn
    async def probe_isolation(self, probe: IsolationProbe) -> IsolationResult:
        with at_the_edge(f"probing the isolation of {probe.drill.run}"):
            async with Heartbeat() as beat:
                return await self._probe(probe, beat)

    @activity.defn
    async def validate_recovery(self, request: ValidationRequest) -> CheckResult:
        with at_the_edge(f"validating {request.validation.name}"):
            async with Heartbeat():
                return await self._validating.validate(request)

    @activity.defn
    async def discard_drill(self, drill: Drill) -> tuple[str, ...]:
        with at_the_edge(f"discarding what {drill.run} left on this host"):
            async with Heartbeat():
                types = [name for name, driver in self._stores.items() if await driver.discard(drill.run)]
                return tuple(f"stores of type {name} of {drill.run} on {gethostname()}" for name in types)

    @activity.defn
    async def store_report(self, report: StoredReport) -> Digest:
        with at_the_edge(f"storing the report of {report.run}"):
            return await unbroken(self._reports.put, report.plan, report.run, report.content.encode())

    @activity.defn
    async def past_reports(self, request: PastReports) -> Reports:
        with at_the_edge(f"reading the reports of {request.plan}"):
            newest = await unbroken(self._reports.newest, request.plan, request.most, _MOST_BYTES)
            return Reports(contents=newest)

    async def _prepare(self, preparation: DrillPreparation) -> Drill:
        order = preparation.order
        spec = order.plan.spec
        refuse_unknown(spec)
        stores = [await self._store_driver(one).resolve(one, preparation) for one in spec.stores]
        services = [await self._service_driver(one).resolve(one, preparation) for one in spec.services]
        said = [*(one.warnings for one in stores), *(one.warnings for one in services)]
        return Drill(
            plan=order.plan,
            run=preparation.run,
            region=spec.recovery.region,
            expires_at=preparation.expires_at,
            stores=tuple(one.resolved for one in stores),
            services=tuple(one.resolved for one in services),
            production=tuple(dict.fromkeys(address for one in stores for address in one.production)),
            warnings=tuple(chain.from_iterable(said)),
        )

    async def _inspect(self, inspection: DrillInspection) -> Inspected:
        drill = inspection.drill
        spec = drill.plan.spec
        found = await unbroken(inspected_secrets, drill, self._secrets)
        for network in self._networks_of(spec):
            found += await network.inspect(inspection)
        for store in spec.stores:
            found += await self._store_driver(store).inspect(store, inspection)
        for service in spec.services:
            found += await self._service_driver(service).inspect(service, inspection)
        return found

    async def _probe(self, probe: IsolationProbe, beat: Heartbeat) -> IsolationResult:
        """Ask a machine of each started service. The first that could not be asked proves nothing of all."""
        addresses = await self._production(probe.drill)
        started = [
            one for one in probe.drill.plan.spec.services if f"{StepKind.START} {one.name}" in probe.made
        ]
        if not addresses or not started:
            missing = "no address of production is known" if started else "no machine stands to probe from"
            return IsolationResult(problem=missing)
        restores = [made for step, made in probe.made.items() if step.startswith(f"{StepKind.RESTORE} ")]
        control = f"{restores[0]['host']}:{restores[0]['port']}" if restores else ""
        reached: dict[str, None] = {}
        for service in started:
            beat.step(f"probing from {service.name}")
            made = probe.made[f"{StepKind.START} {service.name}"]
            driver = self._service_driver(service)
            inside = await driver.probe_from_inside(probe.drill, made, addresses, control)
            reached |= dict.fromkeys(inside.reached)
            if inside.problem:
                return IsolationResult(reached=tuple(reached), problem=f"{service.name}: {inside.problem}")
        return IsolationResult(probed=addresses, reached=tuple(reached))

    async def _production(self, drill: Drill) -> tuple[str, ...]:
        """Add what the names lead to: inside, a name may lead nowhere and its address be reached."""
        found: dict[str, None] = {}
        for address in drill.production:
            found[address] = None
            host, _, port = address.rpartition(":")
            try:
                found[f"{await self._resolving.address(host)}:{port}"] = None
            except UnresolvedError:
                continue
        return tuple(found)

    def _store_driver(self, store: Store) -> StoreDriver:
        return _registered(self._stores, store.type, "stores")

    def _service_driver(self, service: Service) -> ServiceDriver:
        return _registered(self._services, service.type, "services")

    def _networks_of(self, spec: DrillSpec) -> Iterable[NetworkDriver]:
        """Name each network once; a type that needs none has none."""
        types = (one.type for one in (*spec.stores, *spec.services))
        return dict.fromkeys(self._networks[one] for one in types if one in self._networks)


def _registered(drivers: Mapping[str, _Driver], wanted: str, what: str) -> _Driver:
    if wanted not in drivers:
        raise NotBuiltError(
            f"this worker recovers no {what} of type {wanted}: expected {', '.join(sorted(drivers))}; "
            "give the worker what that type needs, or choose another type in the plan"
        )
    return drivers[wanted]


def _store(request: StepRequest) -> Store:
    return next(one for one in request.drill.plan.spec.stores if one.name == request.step.subject)


def _service(request: StepRequest) -> Service:
    return next(one for one in request.drill.plan.spec.services if one.name == request.step.subject)

"""Databases of RDS: found at home, copied to the recovery region."""

from typing import TYPE_CHECKING

from steadfleet_activities.drill.aws import sources
from steadfleet_activities.drill.aws.clients import Regions
from steadfleet_activities.drill.aws.copies import Copy, facts_of
from steadfleet_activities.drill.aws.names import DATABASE, named
from steadfleet_activities.drill.aws.networks import AwsNetworks
from steadfleet_activities.drill.aws.points import Point, Points
from steadfleet_activities.drill.aws.store_preflight import StorePreflight
from steadfleet_activities.drill.databases import Databases, Login
from steadfleet_activities.drill.drivers import Facts, FoundStore, Inspected, Say, Store, StoreDriver
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_core.drill.order import ResolvedStore
from steadfleet_core.drill.plan import RdsStore, Strategy, utc
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_durable import unbroken
from steadfleet_ports.drill import DrillInspection, DrillPreparation, StepRequest

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef


class RdsStores(StoreDriver):
    """Restores snapshots and points in time; replicates, and promotes the replica."""

    def __init__(
        self, regions: Regions, networks: AwsNetworks, databases: Databases, secrets: Secrets
    ) -> None:
        self._regions = regions
        self._networks = networks
        self._databases = databases
        self._secrets = secrets

    async def resolve(self, store: Store, preparation: DrillPreparation) -> FoundStore:
        return await unbroken(self._resolve, _rds(store), preparation)

    async def inspect(self, store: Store, inspection: DrillInspection) -> Inspected:
        preflight = StorePreflight(self._regions, self._networks, _rds(store), inspection)
        return await unbroken(preflight.look)

    async def replicate(self, store: Store, request: StepRequest, say: Say) -> Facts:
        rds, copy = _rds(store), self._copy(store, request)
        say(f"making a replica of {rds.id}")
        await unbroken(copy.follow)
        say(f"waiting for {copy.name}")
        found = await copy.await_available(rds.restore_time_limit)
        facts = facts_of(found, {"source": request.drill.store(rds.name).source})
        say(f"waiting until {copy.name} has caught up")
        password = await unbroken(self._secrets.read, rds.password, request.drill.region)
        login = Login(facts["host"], int(facts["port"]), rds.database, rds.user, password)
        await self._databases.await_caught_up(login, rds.restore_time_limit)
        return facts

    async def restore(self, store: Store, request: StepRequest, say: Say) -> Facts:
        rds, copy = _rds(store), self._copy(store, request)
        resolved = request.drill.store(rds.name)
        if resolved.point is None:
            say(f"promoting {copy.name}")
            await unbroken(copy.promote)
        elif resolved.facts.get("point_kind") == "time":
            say(f"restoring {rds.id} as it was at {utc(resolved.point)}")
            await unbroken(copy.restore_time, resolved.point)
        else:
            await self._restore_snapshot(rds, resolved, copy, request.drill.region, say)
        say(f"waiting for {copy.name}")
        found = await copy.await_available(rds.restore_time_limit, alone=resolved.point is None)
        return facts_of(found, {"point": _point_words(resolved)})

    async def _restore_snapshot(
        self, rds: RdsStore, resolved: ResolvedStore, copy: Copy, region: str, say: Say
    ) -> None:
        snapshot, lies_in = resolved.point_id, resolved.facts["point_region"]
        if lies_in != region:
            say(f"copying snapshot {snapshot} from {lies_in}")
            encrypted = resolved.facts.get("encrypted") == "true"
            await unbroken(copy.copy_snapshot, resolved.facts["point_arn"], lies_in, encrypted=encrypted)
            await copy.await_snapshot(rds.restore_time_limit)
            snapshot = copy.name
        say(f"restoring snapshot {snapshot}")
        await unbroken(copy.restore_snapshot, snapshot)

    def _copy(self, store: Store, request: StepRequest) -> Copy:
        aws, network = self._regions.at(request.drill.region), request.made[str(StepKind.ISOLATE)]
        return Copy(aws, request.drill, _rds(store), request.drill.store(store.name), network)

    def _resolve(self, store: RdsStore, preparation: DrillPreparation) -> FoundStore:
        region = sources.region_of(store.id, self._regions.home)
        source = sources.instance(self._regions.at(region), store.id)
        if source is None:
            raise RefusedError(
                f"store {store.name}: there is no DB instance {store.id} in {region}: expected the one that "
                "serves; correct the id, or name it by its ARN if it is in another region"
            )
        engine = source.get("Engine", "")
        if engine != "postgres":
            raise RefusedError(
                f"store {store.name}: {store.id} is of engine {engine}, and a drill recovers postgres only"
            )
        spec = preparation.order.plan.spec
        point = None
        if spec.strategy is Strategy.BACKUP_RESTORE:
            points = self._points(store, source, region, spec.recovery.region)
            point = points.chosen(spec.recovery_point, preparation.run, preparation.at)
        return FoundStore(_resolved(store, source, region, preparation.run, point), _addresses(source))

    def _points(
        self, store: RdsStore, source: "DBInstanceTypeDef", region: str, recovery_region: str
    ) -> Points:
        name = source["DBInstanceIdentifier"]
        # Those of the recovery region first: of two equal ones, the one that needs no copy.
        places = dict.fromkeys([recovery_region, region])
        found = [one for place in places for one in sources.backups(self._regions.at(place), name)]
        newest_first = sorted(found, key=lambda one: one.taken_at, reverse=True)
        window = sources.window(self._regions.at(recovery_region), source, region)
        return Points(store.name, newest_first, window)


def _resolved(
    store: RdsStore, source: "DBInstanceTypeDef", region: str, run: str, point: Point | None
) -> ResolvedStore:
    facts = {
        "region": region,
        "arn": source["DBInstanceArn"],
        "identifier": source["DBInstanceIdentifier"],
        "engine_version": source.get("EngineVersion", ""),
    }
    if source.get("StorageEncrypted"):
        facts["encrypted"] = "true"
    return ResolvedStore(
        name=store.name,
        source=store.id,
        engine=f"postgres {source.get('EngineVersion', '')}".strip(),
        copy_id=named(run, store.name, DATABASE),
        point=point.at if point else None,
        point_id=point.backup.id if point and point.backup else "",
        facts=facts | _point_facts(point),
    )


def _point_facts(point: Point | None) -> Facts:
    if point is None:
        return {}
    if point.backup is not None:
        backup = point.backup
        return {"point_kind": "snapshot", "point_arn": backup.arn, "point_region": backup.region}
    arn = point.window.arn if point.window else ""
    return {"point_kind": "time"} | ({"backup_arn": arn} if arn else {})


def _point_words(resolved: ResolvedStore) -> str:
    if resolved.point is None:
        return "live until it was promoted"
    held = f"snapshot {resolved.point_id}" if resolved.point_id else "its log"
    return f"{utc(resolved.point)}, by {held}"


def _addresses(source: "DBInstanceTypeDef") -> tuple[str, ...]:
    endpoint = source.get("Endpoint")
    return (f"{endpoint['Address']}:{endpoint['Port']}",) if endpoint else ()


def _rds(store: Store) -> RdsStore:
    if not isinstance(store, RdsStore):
        raise RefusedError(f"store {store.name} is of type {store.type}, and this serves rds")
    return store

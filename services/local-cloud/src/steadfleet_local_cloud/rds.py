"""DB instances: what moto answers, a PostgreSQL server does."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from moto.rds.exceptions import DBInstanceNotFoundError, RDSClientError
from moto.rds.models import DBInstance, RDSBackend, rds_backends
from psycopg import sql

from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.database_origins import Origin, PointInTime, Primary, Snapshot
from steadfleet_local_cloud.databases import Database
from steadfleet_local_cloud.errors import LocalCloudError
from steadfleet_local_cloud.faults import Kind
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.rds_refusals import (
    invalid_state,
    refuse_master,
    refuse_order,
    refuse_password,
    refuse_unavailable,
    refuse_unready_snapshot,
)
from steadfleet_local_cloud.rds_snapshots import RdsSnapshots

_log = logging.getLogger(__name__)
_DEFAULT_PROMOTED_RETENTION = 1  # days, AWS's default of PromoteReadReplica


class Rds:
    """Wrap moto's DB instances so that a server stands behind each."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        self._databases = context.databases
        self._snapshots = RdsSnapshots(context, patches)
        self._origin: Origin | None = None  # of the instance that is being made, unless it is new
        around: dict[str, Callable[..., Any]] = {
            "create_db_instance": self._create,
            "restore_db_instance_from_db_snapshot": self._restore,
            "restore_db_instance_to_point_in_time": self._restore_to_time,
            "create_db_instance_read_replica": self._replicate,
            "promote_read_replica": self._promote,
            "modify_db_instance": self._modify,
            "reboot_db_instance": self._reboot,
            "stop_db_instance": self._stop,
            "start_db_instance": self._start,
            "delete_db_instance": self._delete,
            "create_db_cluster": self._refuse_cluster,
            "restore_db_cluster_from_snapshot": self._refuse_cluster,
            "restore_db_cluster_to_point_in_time": self._refuse_cluster,
        }
        for name, ours in around.items():
            patches.wrap(RDSBackend, name, ours)
        patches.replace(DBInstance, "endpoint", property(self._endpoint))
        patches.replace(DBInstance, "latest_restorable_time", property(self._latest_restorable_time))

    def close(self) -> None:
        self._databases.close()
        self._snapshots.close()

    def _create(self, original: Any, backend: Any, db_kwargs: dict[str, Any]) -> Any:
        origin, self._origin = self._origin, None
        refuse_order(self._context, backend, db_kwargs)
        if origin is None:
            refuse_master(db_kwargs)
            origin = self._databases.fresh(
                db_kwargs["master_username"], db_kwargs["master_user_password"], db_kwargs.get("db_name")
            )
        db_kwargs["engine_version"] = self._databases.programs.version
        instance = original(backend, db_kwargs)
        self._begin(instance, origin)
        return instance

    def _restore(self, original: Any, backend: Any, from_snapshot_id: str, overrides: dict[str, Any]) -> Any:
        snapshot = backend.get_db_snapshot(from_snapshot_id)
        refuse_unready_snapshot(snapshot)
        content = self._databases.content(snapshot.arn)
        if content is None:
            raise KeyError(f"nothing stands behind {snapshot.arn}")
        overrides.setdefault("availability_zone", f"{backend.region_name}a")
        with self._from(Snapshot(content)):
            return _own(original(backend, from_snapshot_id, overrides), overrides)

    def _restore_to_time(
        self, original: Any, backend: Any, source: str | None, target: str, overrides: dict[str, Any]
    ) -> Any:
        if not source:
            raise RDSClientError(
                "InvalidParameterCombination",
                "This local cloud restores to a point in time from SourceDBInstanceIdentifier, in its own "
                "region only: it does not replicate automated backups.",
            )
        origin = self._point_in_time(_instance(backend, source), overrides)
        with self._from(origin):
            return _own(original(backend, source, target, overrides), overrides)

    def _point_in_time(self, instance: Any, overrides: dict[str, Any]) -> PointInTime:
        database = self._database(instance)
        backup = database.backup
        if backup is None or backup.since is None or backup.latest is None:
            raise RDSClientError(
                "PointInTimeRestoreNotEnabled",
                f"Point in time restore is not enabled for instance {instance.db_instance_identifier} "
                "(BackupRetentionPeriod), or its first backup is not taken yet.",
            )
        wanted = overrides.get("restore_time")
        if bool(wanted) == bool(overrides.get("use_latest_restorable_time")):
            raise RDSClientError(
                "InvalidParameterCombination", "Give either RestoreTime or UseLatestRestorableTime."
            )
        if not wanted:
            return PointInTime(backup, None, database.server)
        moment = _moment(wanted)
        if not backup.since <= moment <= backup.latest:
            database.advance()
            raise RDSClientError(
                "InvalidParameterValue",
                f"The specified time {moment.isoformat()} is not between the first backup "
                f"({backup.since.isoformat()}) and the latest restorable time ({backup.latest.isoformat()}).",
            )
        return PointInTime(backup, moment.isoformat(sep=" "), None)

    def _replicate(self, original: Any, backend: Any, db_kwargs: dict[str, Any]) -> Any:
        source = backend.find_db_from_id(db_kwargs["source_db_instance_identifier"])
        refuse_unavailable(source)
        name = db_kwargs["db_instance_identifier"]
        if name in backend.databases:
            raise RDSClientError("DBInstanceAlreadyExists", "DB instance already exists")
        backend._validate_db_identifier(name)  # noqa: SLF001 - as moto does for others
        refuse_order(self._context, backend, {"engine": source.engine, "port": db_kwargs.get("port")})
        replica = original(backend, db_kwargs)
        replica.tags = db_kwargs.get("tags") or []
        replica.created = replica.instance_create_time = datetime.now(UTC).replace(tzinfo=None)
        replica.availability_zone = db_kwargs.get("availability_zone") or f"{backend.region_name}a"
        replica.backup_retention_period = 0
        replica.deletion_protection = bool(db_kwargs.get("deletion_protection"))
        self._begin(replica, Primary(self._database(source).server))
        return replica

    def _begin(self, instance: Any, origin: Origin) -> None:
        instance.dbi_resource_id = f"db-{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=')}"
        instance.status = "creating"
        name = instance.db_instance_identifier
        faults, region = self._context.faults, instance.region
        try:
            database = self._databases.add(instance.dbi_resource_id, name, region, int(instance.port))
        except LocalCloudError as error:
            del instance.backend.databases[name]
            raise RDSClientError("InsufficientDBInstanceCapacity", str(error)) from error
        database.heed(faults)
        restored = isinstance(origin, Snapshot | PointInTime)
        delay = faults.strike_database(Kind.SLOW_RESTORE, region, name) if restored else timedelta()

        def create() -> None:
            database.create(
                origin, delay or timedelta(), keeps_backups=int(instance.backup_retention_period) > 0
            )
            self._snapshots.keep_automated(instance, database)

        self._do(instance, create, "created", otherwise="incompatible-restore" if restored else "failed")

    def _promote(self, original: Any, backend: Any, db_kwargs: dict[str, Any]) -> Any:
        instance = _instance(backend, db_kwargs["db_instance_identifier"])
        if not instance.is_replica:
            raise invalid_state(f"DB instance {instance.db_instance_identifier} is not a read replica.")
        refuse_unavailable(instance)
        db_kwargs.setdefault("backup_retention_period", _DEFAULT_PROMOTED_RETENTION)
        original(backend, db_kwargs)
        self._stand_alone(instance)
        return instance

    def _stand_alone(self, instance: Any) -> None:
        instance.status = "modifying"
        keeps_backups = int(instance.backup_retention_period) > 0
        database = self._database(instance)

        def promote() -> None:
            database.promote(keeps_backups=keeps_backups)
            self._snapshots.keep_automated(instance, database)

        self._do(instance, promote, "promoted", then=partial(_unlink, instance))

    def _modify(self, original: Any, backend: Any, name: str, db_kwargs: dict[str, Any]) -> Any:
        instance = _instance(backend, name)
        refuse_unavailable(instance)
        if db_kwargs.get("db_port_number") not in {None, instance.port}:
            raise RDSClientError("InvalidParameterCombination", "This local cloud cannot change a port.")
        if db_kwargs.get("engine_version") not in {None, instance.engine_version}:
            raise RDSClientError("InvalidParameterCombination", "This local cloud cannot change a version.")
        database = self._database(instance)
        if password := db_kwargs.get("master_user_password"):
            refuse_password(password)
            self._refuse_replica(instance)
            user = sql.Identifier(instance.master_username)
            database.server.sql(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, sql.Literal(password)))
        before = int(instance.backup_retention_period)
        original(backend, name, db_kwargs)
        database.name = instance.db_instance_identifier
        if bool(before) != bool(int(instance.backup_retention_period)):
            self._change_backups(instance, database)
        return instance

    def _change_backups(self, instance: Any, database: Database) -> None:
        keeps = int(instance.backup_retention_period) > 0
        instance.status = "modifying"
        if not keeps:
            self._snapshots.drop_automated(instance)

        def change() -> None:
            database.keep_backups(keeps=keeps)
            self._snapshots.keep_automated(instance, database)

        self._do(instance, change, "backups-changed")

    def _reboot(self, original: Any, backend: Any, name: str) -> Any:
        refuse_unavailable(_instance(backend, name))
        instance = original(backend, name)
        instance.status = "rebooting"
        self._do(instance, self._database(instance).restart, "rebooted")
        return instance

    def _stop(self, original: Any, backend: Any, name: str, *rest: Any, **options: Any) -> Any:
        instance = original(backend, name, *rest, **options)  # it checks the state, and takes the snapshot
        instance.status = "stopping"
        self._do(instance, self._database(instance).stop, "stopped", status="stopped")
        return instance

    def _start(self, original: Any, backend: Any, name: str) -> Any:
        instance = original(backend, name)
        instance.status = "starting"
        self._do(instance, self._database(instance).server.start, "started")
        return instance

    def _delete(
        self,
        _original: Any,
        backend: Any,
        db_instance_identifier: str,
        final_db_snapshot_identifier: str | None = None,
        skip_final_snapshot: bool | None = False,  # noqa: FBT001, FBT002 - as moto calls it
        delete_automated_backups: bool | None = True,  # noqa: FBT001, FBT002 - as above
    ) -> Any:
        instance = _instance(backend, db_instance_identifier)
        self._refuse_deletion(instance, final_db_snapshot_identifier, skip_final_snapshot)
        if delete_automated_backups is False:
            raise RDSClientError(
                "InvalidParameterCombination",
                "This local cloud keeps no backups of an instance that is gone.",
            )
        database = self._database(instance)
        if final_db_snapshot_identifier and not skip_final_snapshot:
            backend.create_db_snapshot(instance.db_instance_identifier, final_db_snapshot_identifier)
        else:
            database.server.given_up.set()  # whatever is being made of it is not needed any more
        instance.status = "deleting"
        database.do(partial(self._end, instance))
        return instance

    def _refuse_deletion(self, instance: Any, final_snapshot: str | None, skip: bool | None) -> None:  # noqa: FBT001 - as above
        name = instance.db_instance_identifier
        if instance.status == "deleting":
            raise invalid_state(f"Instance {name} is already being deleted.")
        if self._context.faults.strike_database(Kind.FAILED_DELETE, instance.region, name) is not None:
            raise invalid_state(f"Instance {name} cannot be deleted now (a fault of the local cloud).")
        if instance.deletion_protection:
            raise RDSClientError(
                "InvalidParameterCombination",
                "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            )
        if bool(skip) == bool(final_snapshot):
            raise RDSClientError(
                "InvalidParameterCombination",
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and only then.",
            )

    def _end(self, instance: Any) -> None:
        self._databases.forget(instance.dbi_resource_id)
        with self._context.lock:
            for name, known in list(instance.backend.databases.items()):
                if known is instance:
                    del instance.backend.databases[name]
            _unlink(instance)
            self._snapshots.drop_automated(instance)
            for replica in _replicas(instance):  # on AWS they stand alone then, too
                replica.is_replica = False
                self._stand_alone(replica)
            self._record("deleted", instance)

    def _do(
        self,
        instance: Any,
        work: Callable[[], object],
        event: str,
        *,
        status: str = "available",
        otherwise: str = "failed",
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Have work done on what stands behind an instance; its status follows when that is true."""

        def job() -> None:
            reason = None
            try:
                work()
            except Exception as error:  # noqa: BLE001 - recorded, logged, and told by the status
                reason = str(error)
            with self._context.lock:
                if instance.status == "deleting":
                    return
                instance.status = otherwise if reason else status
                if reason:
                    _log.error("%s could not be %s: %s", instance.arn, event, reason)
                    self._record(f"not-{event}", instance, reason=reason)
                else:
                    then()
                    self._record(event, instance)

        self._database(instance).do(job)

    def _endpoint(self, instance: Any) -> dict[str, Any] | None:
        database = self._databases.get(instance.dbi_resource_id)
        if database is None or instance.status == "creating":
            return None
        return {"Address": database.address, "Port": database.server.port}

    def _latest_restorable_time(self, instance: Any) -> datetime | None:
        """Say to which time all that was committed is archived, and have that time move on."""
        database = self._databases.get(instance.dbi_resource_id)
        if database is None or database.backup is None or database.backup.latest is None:
            return None
        if instance.status == "available":
            database.advance()
        return database.backup.latest.replace(tzinfo=None)

    def _refuse_cluster(self, _original: Any, *_rest: Any, **_options: Any) -> Any:
        raise RDSClientError(
            "InvalidParameterCombination", "Nothing stands behind a DB cluster in this local cloud."
        )

    def _refuse_replica(self, instance: Any) -> None:
        if instance.is_replica:
            raise invalid_state(
                f"{instance.db_instance_identifier} is a read replica: its users are those of its source."
            )

    def _database(self, instance: Any) -> Database:
        database = self._databases.get(instance.dbi_resource_id)
        if database is None:
            raise KeyError(f"nothing stands behind {instance.db_instance_identifier}")
        return database

    @contextmanager
    def _from(self, origin: Origin) -> Iterator[None]:
        self._origin = origin
        try:
            yield
        finally:
            self._origin = None

    def _record(self, event: str, instance: Any, **more: object) -> None:
        database = self._databases.get(instance.dbi_resource_id)
        self._context.record.append(
            "database",
            event=event,
            region=instance.region,
            database=instance.db_instance_identifier,
            address=database.address if database else None,
            **more,
        )


def _own(instance: Any, overrides: dict[str, Any]) -> Any:
    """Give a restored instance what the call says and not what its source had, where AWS does so."""
    instance.tags = overrides.get("tags") or []
    instance.deletion_protection = bool(overrides.get("deletion_protection"))
    instance.source_db_instance_identifier = None
    return instance


def _instance(backend: Any, name: str) -> Any:
    if name not in backend.databases:
        raise DBInstanceNotFoundError(name)
    return backend.databases[name]


def _unlink(replica: Any) -> None:
    """Let a replica and its source, if it is there still, know nothing of each other."""
    for backend in rds_backends[ACCOUNT].values():
        for other in backend.databases.values():
            other.replicas = [name for name in other.replicas if name not in _names(replica, backend)]
    replica.source_db_instance_identifier = None


def _replicas(source: Any) -> list[Any]:
    return [
        one
        for backend in list(rds_backends[ACCOUNT].values())
        for one in backend.databases.values()
        if one.source_db_instance_identifier in _names(source, backend) and one.status != "deleting"
    ]


def _names(instance: Any, backend: Any) -> set[str]:
    """Name the instance as a region does: elsewhere it has its ARN alone."""
    here = instance.region == backend.region_name
    return {instance.arn, instance.db_instance_identifier} if here else {instance.arn}


def _moment(written: Any) -> datetime:
    moment = written if isinstance(written, datetime) else datetime.fromisoformat(str(written))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

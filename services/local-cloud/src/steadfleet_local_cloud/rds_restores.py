"""DB instances that begin with what another had: from a snapshot, a point in time, or as its replica."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.rds.exceptions import DBInstanceAlreadyExists, RDSClientError
from moto.rds.models import RDSBackend

from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.database_origins import PointInTime, Primary, Snapshot
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.rds_instances import RdsInstances, instance_of
from steadfleet_local_cloud.rds_refusals import (
    invalid_state,
    refuse_order,
    refuse_unavailable,
    refuse_unready_snapshot,
)

_DEFAULT_PROMOTED_RETENTION = 1  # days, AWS's default of PromoteReadReplica


class RdsRestores:
    """Wrap moto's restores, replicas and promotions."""

    def __init__(self, context: Context, patches: Patches, instances: RdsInstances) -> None:
        self._context = context
        self._instances = instances
        patches.wrap(RDSBackend, "restore_db_instance_from_db_snapshot", self._from_snapshot)
        patches.wrap(RDSBackend, "restore_db_instance_to_point_in_time", self._to_point_in_time)
        patches.wrap(RDSBackend, "create_db_instance_read_replica", self._replicate)
        patches.wrap(RDSBackend, "promote_read_replica", self._promote)

    def _from_snapshot(self, original: Any, backend: Any, snapshot_id: str, overrides: dict[str, Any]) -> Any:
        snapshot = backend.get_db_snapshot(snapshot_id)
        refuse_unready_snapshot(snapshot)
        content = self._context.databases.content(snapshot.arn)
        if content is None:
            raise KeyError(f"nothing stands behind {snapshot.arn}")
        overrides.setdefault("availability_zone", f"{backend.region_name}a")
        with self._instances.made_from(Snapshot(content), overrides):
            return _own(original(backend, snapshot_id, overrides), overrides)

    def _to_point_in_time(
        self, original: Any, backend: Any, source: str | None, target: str, overrides: dict[str, Any]
    ) -> Any:
        if not source:
            raise RDSClientError(
                "InvalidParameterCombination",
                "This local cloud restores to a point in time from SourceDBInstanceIdentifier, in its own "
                "region only: it does not replicate automated backups.",
            )
        origin = self._point_in_time(instance_of(backend, source), overrides)
        with self._instances.made_from(origin, overrides):
            return _own(original(backend, source, target, overrides), overrides)

    def _point_in_time(self, instance: Any, overrides: dict[str, Any]) -> PointInTime:
        database = self._instances.database(instance)
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
            raise RDSClientError(
                "InvalidParameterValue",
                f"The specified time {moment.isoformat()} is not between the first backup "
                f"({backup.since.isoformat()}) and the latest restorable time ({backup.latest.isoformat()}).",
            )
        return PointInTime(backup, moment.isoformat(sep=" "))

    def _replicate(self, original: Any, backend: Any, db_kwargs: dict[str, Any]) -> Any:
        source = backend.find_db_from_id(db_kwargs["source_db_instance_identifier"])
        refuse_unavailable(source)
        name = db_kwargs["db_instance_identifier"]
        if name in backend.databases:
            raise DBInstanceAlreadyExists
        backend._validate_db_identifier(name)  # noqa: SLF001 - as moto does for others
        refuse_order(self._context, backend, {"engine": source.engine, "port": db_kwargs.get("port")})
        # first, for moto looks for the subnet group in the region that the replica has by then
        replica = original(backend, {"backend": backend, **db_kwargs})
        replica.tags = db_kwargs.get("tags") or []
        replica.created = replica.instance_create_time = datetime.now(UTC).replace(tzinfo=None)
        replica.availability_zone = db_kwargs.get("availability_zone") or f"{backend.region_name}a"
        replica.backup_retention_period = 0
        replica.deletion_protection = bool(db_kwargs.get("deletion_protection"))
        self._instances.begin(replica, Primary(self._instances.database(source).server))
        return replica

    def _promote(self, original: Any, backend: Any, db_kwargs: dict[str, Any]) -> Any:
        instance = instance_of(backend, db_kwargs["db_instance_identifier"])
        if not instance.is_replica:
            raise invalid_state(f"DB instance {instance.db_instance_identifier} is not a read replica.")
        refuse_unavailable(instance)
        db_kwargs.setdefault("backup_retention_period", _DEFAULT_PROMOTED_RETENTION)
        original(backend, db_kwargs)
        self._instances.stand_alone(instance)
        return instance


def _own(instance: Any, overrides: dict[str, Any]) -> Any:
    """Give a restored instance what the call says and not what its source had, where AWS does so."""
    instance.tags = overrides.get("tags") or []
    instance.deletion_protection = bool(overrides.get("deletion_protection"))
    instance.source_db_instance_identifier = None
    return instance


def _moment(written: Any) -> datetime:
    moment = written if isinstance(written, datetime) else datetime.fromisoformat(str(written))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

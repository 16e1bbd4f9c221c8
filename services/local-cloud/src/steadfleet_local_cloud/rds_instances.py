"""What every change of a DB instance shares: its database, its status, its place among others."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from moto.rds.exceptions import DBInstanceNotFoundError, RDSClientError
from moto.rds.models import DBInstance, rds_backends

from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.database_origins import Origin, PointInTime, Snapshot
from steadfleet_local_cloud.databases import Database
from steadfleet_local_cloud.errors import LocalCloudError
from steadfleet_local_cloud.faults import Kind
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.rds_snapshots import RdsSnapshots

_log = logging.getLogger(__name__)


class RdsInstances:
    """
    Brings moto's DB instances and the databases behind them together, by their DbiResourceId.

    A status says what is true of the server: it changes when the work is done, in the
    database's own thread.
    """

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        self._databases = context.databases
        self._origin: Origin | None = None
        self._overrides: dict[str, Any] = {}
        self.snapshots = RdsSnapshots(context, patches)
        patches.replace(DBInstance, "endpoint", property(self._endpoint))
        patches.replace(DBInstance, "latest_restorable_time", property(self._latest_restorable_time))

    def close(self) -> None:
        self._databases.close()
        self.snapshots.close()

    @contextmanager
    def made_from(self, origin: Origin, overrides: dict[str, Any]) -> Iterator[None]:
        """Say what the instance that moto makes now comes from: its restores end in a create."""
        self._origin, self._overrides = origin, overrides
        try:
            yield
        finally:
            self._origin, self._overrides = None, {}

    def take_origin(self, wanted: dict[str, Any]) -> Origin | None:
        """Give what the new instance comes from, if it is not new; what is wanted then says so in full."""
        if self._overrides.get("backup_retention_period") == 0:
            wanted["backup_retention_period"] = 0  # moto would take none for unsaid
        origin, self._origin = self._origin, None
        return origin

    def database(self, instance: Any) -> Database:
        database = self._databases.get(instance.dbi_resource_id)
        if database is None:
            raise KeyError(f"nothing stands behind {instance.db_instance_identifier}")
        return database

    def begin(self, instance: Any, origin: Origin) -> None:
        """Have a database made for a new instance."""
        instance.dbi_resource_id = f"db-{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=')}"
        instance.status = "creating"
        name, region, faults = instance.db_instance_identifier, instance.region, self._context.faults
        try:
            database = self._databases.add(instance.dbi_resource_id, name, region, int(instance.port))
        except LocalCloudError as error:
            del instance.backend.databases[name]
            raise RDSClientError("InsufficientDBInstanceCapacity", str(error)) from error
        restored = isinstance(origin, Snapshot | PointInTime)
        delay = faults.strike_database(Kind.SLOW_RESTORE, region, name) if restored else None
        keeps_backups = int(instance.backup_retention_period) > 0

        def create() -> None:
            database.create(origin, delay or timedelta(), keeps_backups=keeps_backups)
            if faults.is_stale(region, name):
                database.server.catch_up()  # as one that stood, and then heard nothing more
            database.server.sever(severed=faults.is_stale(region, name))
            self.snapshots.keep_automated(instance, database)

        self.do(instance, create, "created", otherwise="incompatible-restore" if restored else "failed")

    def stand_alone(self, instance: Any) -> None:
        """Have a replica promoted, and forget that it was one."""
        instance.status = "modifying"
        keeps_backups = int(instance.backup_retention_period) > 0
        database = self.database(instance)

        def promote() -> None:
            database.promote(keeps_backups=keeps_backups)
            self.snapshots.keep_automated(instance, database)

        self.do(instance, promote, "promoted", then=partial(_unlink, instance))

    def end(self, instance: Any) -> None:
        """Have an instance and all that goes with it removed, after what was asked of it before."""
        instance.status = "deleting"
        self.database(instance).do(partial(self._end, instance))

    def do(
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
            failure = None
            try:
                work()
            except Exception as error:  # noqa: BLE001 - recorded, logged, and told by the status
                failure = error
            with self._context.lock:
                if instance.status == "deleting":
                    return
                instance.status = otherwise if failure else status
                if failure:
                    _log.error("%s could not be %s", instance.arn, event, exc_info=failure)
                    self._record(f"not-{event}", instance, reason=str(failure))
                else:
                    then()
                    self._record(event, instance)

        self.database(instance).do(job)

    def _end(self, instance: Any) -> None:
        self._databases.forget(instance.dbi_resource_id)
        with self._context.lock:
            for name, known in list(instance.backend.databases.items()):
                if known is instance:
                    del instance.backend.databases[name]
            replicas = _replicas(instance)
            _unlink(instance)
            self.snapshots.drop_automated(instance)
            for replica in replicas:  # on AWS they stand alone then, too
                replica.is_replica = False
                self.stand_alone(replica)
            self._record("deleted", instance)

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


def instance_of(backend: Any, name: str) -> Any:
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

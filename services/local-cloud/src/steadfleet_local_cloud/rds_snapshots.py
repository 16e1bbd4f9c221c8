"""DB snapshots: real base backups, that moto's snapshots stand for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any

from moto.rds.models import DBInstance, DBSnapshot, RDSBackend

from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.database_origins import Content
from steadfleet_local_cloud.databases import Database
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.rds_refusals import refuse_unavailable, refuse_unready_snapshot

_log = logging.getLogger(__name__)
_AUTOMATED = "automated"


class RdsSnapshots:
    """Wrap moto's DB snapshots, which hold nothing and take no time."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        self._databases = context.databases
        self._copying = ThreadPoolExecutor(2, thread_name_prefix="snapshot copy")
        patches.wrap(RDSBackend, "create_db_snapshot", self._create)
        patches.wrap(RDSBackend, "copy_db_snapshot", self._copy)
        patches.wrap(RDSBackend, "delete_db_snapshot", self._delete)
        patches.replace(DBInstance, "save_automated_backup", lambda _instance: None)  # ours comes when it can

    def keep_automated(self, instance: Any, database: Database) -> None:
        """Show the automated backup that an instance begins with as a snapshot; call it without the lock."""
        taken = database.backup.since if database.backup else None
        if taken is None or database.backup is None:
            return
        content = Content(database.backup.base, database.backup.using)
        with self._context.lock:
            name = f"rds:{instance.db_instance_identifier}-{taken:%Y-%m-%d-%H-%M-%S}"
            snapshot = DBSnapshot(instance.backend, instance, name, _AUTOMATED)
            instance.backend.database_snapshots[name] = snapshot
            self._settle(snapshot, content, taken)

    def drop_automated(self, instance: Any) -> None:
        """Delete an instance's automated snapshots, as they go with it; call it under the lock."""
        for name, snapshot in list(instance.backend.database_snapshots.items()):
            if snapshot.snapshot_type == _AUTOMATED and snapshot.dbi_resource_id == instance.dbi_resource_id:
                del instance.backend.database_snapshots[name]
                self._databases.drop(snapshot.arn)

    def close(self) -> None:
        self._copying.shutdown()

    def _create(
        self, original: Any, backend: Any, db_instance_identifier: str, *rest: Any, **options: Any
    ) -> Any:
        instance = backend.databases.get(db_instance_identifier)
        if instance is not None:
            refuse_unavailable(instance)
        snapshot = original(backend, db_instance_identifier, *rest, **options)
        snapshot.status = "creating"
        database = self._databases.get(snapshot.dbi_resource_id)
        if database is None:
            raise KeyError(f"nothing stands behind {db_instance_identifier}")
        database.do(partial(self._fill, snapshot, partial(self._databases.take, database)))
        return snapshot

    def _copy(self, original: Any, backend: Any, source_db_snapshot_identifier: str, **options: Any) -> Any:
        source = backend.get_db_snapshot(source_db_snapshot_identifier)
        refuse_unready_snapshot(source)
        content = self._databases.content(source.arn)
        if content is None:
            raise KeyError(f"nothing stands behind {source.arn}")
        snapshot = original(backend, source_db_snapshot_identifier=source_db_snapshot_identifier, **options)
        snapshot.status = "creating"
        snapshot.source_db_snapshot_identifier = source.arn
        _settle_in(snapshot, backend, source)
        taken = source.created
        self._copying.submit(self._fill, snapshot, lambda: (self._databases.copy(content), taken))
        return snapshot

    def _delete(self, original: Any, backend: Any, db_snapshot_identifier: str) -> Any:
        snapshot = backend.database_snapshots.get(db_snapshot_identifier)
        if snapshot is not None and snapshot.status != "failed":
            refuse_unready_snapshot(snapshot)
        deleted = original(backend, db_snapshot_identifier)
        self._databases.drop(deleted.arn)
        self._record("snapshot-deleted", deleted)
        return deleted

    def _fill(self, snapshot: Any, make: Callable[[], tuple[Content, datetime]]) -> None:
        try:
            content, taken = make()
        except Exception as error:  # noqa: BLE001 - logged, recorded, and told by the status
            _log.exception("no content for the snapshot %s", snapshot.arn)
            with self._context.lock:
                snapshot.status = "failed"
                self._record("snapshot-failed", snapshot, reason=str(error))
            return
        with self._context.lock:
            self._settle(snapshot, content, taken)

    def _settle(self, snapshot: Any, content: Content, taken: datetime) -> None:
        moment = taken.replace(tzinfo=None)  # moto's times are UTC and do not say so
        if not hasattr(snapshot, "source_db_snapshot_identifier"):
            snapshot.created = snapshot.original_snapshot_create_time = moment
        self._databases.hold(snapshot.arn, content)
        snapshot.status = "available"
        self._record("snapshot-taken", snapshot)

    def _record(self, event: str, snapshot: Any, **more: object) -> None:
        self._context.record.append(
            "database", event=event, region=snapshot.region, snapshot=snapshot.db_snapshot_identifier, **more
        )


def _settle_in(snapshot: Any, backend: Any, source: Any) -> None:
    """Take from a copy what its source's region alone has, or restoring it would look for that here."""
    database = snapshot.database
    snapshot.dbi_resource_id = source.dbi_resource_id
    if source.region != backend.region_name:
        snapshot.source_region = source.region
        database.db_parameter_group_name = None
        database._db_subnet_group_name = None  # noqa: SLF001 - moto lets nobody take it away
        database.availability_zone = f"{backend.region_name}a"
        database.option_group_supplied = False

"""DB instances: what moto answers, a PostgreSQL server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend
from psycopg import sql

from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.databases import Database
from steadfleet_local_cloud.faults import Kind
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.rds_instances import RdsInstances, instance_of
from steadfleet_local_cloud.rds_refusals import (
    invalid_state,
    refuse_change,
    refuse_master,
    refuse_order,
    refuse_password,
    refuse_unavailable,
)
from steadfleet_local_cloud.rds_restores import RdsRestores


class Rds:
    """Wrap moto's DB instances so that a server stands behind each."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        self._instances = RdsInstances(context, patches)
        RdsRestores(context, patches, self._instances)
        around: dict[str, Callable[..., Any]] = {
            "create_db_instance": self._create,
            "modify_db_instance": self._modify,
            "reboot_db_instance": self._reboot,
            "stop_db_instance": self._stop,
            "start_db_instance": self._start,
            "delete_db_instance": self._delete,
            "create_db_cluster": _refuse_cluster,
            "restore_db_cluster_from_snapshot": _refuse_cluster,
            "restore_db_cluster_to_point_in_time": _refuse_cluster,
        }
        for name, ours in around.items():
            patches.wrap(RDSBackend, name, ours)

    def close(self) -> None:
        self._instances.close()

    def _create(self, original: Any, backend: Any, db_kwargs: dict[str, Any]) -> Any:
        origin = self._instances.take_origin(db_kwargs)
        refuse_order(self._context, backend, db_kwargs)
        if origin is None:
            refuse_master(db_kwargs)
            origin = self._context.databases.fresh(
                db_kwargs["master_username"], db_kwargs["master_user_password"], db_kwargs.get("db_name")
            )
        db_kwargs["engine_version"] = self._context.databases.programs.version
        instance = original(backend, db_kwargs)
        self._instances.begin(instance, origin)
        return instance

    def _modify(self, original: Any, backend: Any, name: str, db_kwargs: dict[str, Any]) -> Any:
        instance = instance_of(backend, name)
        refuse_unavailable(instance)
        refuse_change(instance, db_kwargs)
        database = self._instances.database(instance)
        if password := db_kwargs.get("master_user_password"):
            refuse_password(password)
            user = sql.Identifier(instance.master_username)
            database.server.sql(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, sql.Literal(password)))
        kept_backups = int(instance.backup_retention_period) > 0
        original(backend, name, db_kwargs)
        database.name = instance.db_instance_identifier
        if kept_backups != (int(instance.backup_retention_period) > 0):
            self._change_backups(instance, database, keeps=not kept_backups)
        return instance

    def _change_backups(self, instance: Any, database: Database, *, keeps: bool) -> None:
        instance.status = "modifying"
        if not keeps:
            self._instances.snapshots.drop_automated(instance)

        def change() -> None:
            database.keep_backups(keeps=keeps)
            self._instances.snapshots.keep_automated(instance, database)

        self._instances.do(instance, change, "backups-changed")

    def _reboot(self, original: Any, backend: Any, name: str) -> Any:
        refuse_unavailable(instance_of(backend, name))
        instance = original(backend, name)
        instance.status = "rebooting"
        self._instances.do(instance, self._instances.database(instance).restart, "rebooted")
        return instance

    def _stop(self, original: Any, backend: Any, name: str, *rest: Any, **options: Any) -> Any:
        instance = original(backend, name, *rest, **options)  # it checks the state, and takes the snapshot
        instance.status = "stopping"
        self._instances.do(instance, self._instances.database(instance).stop, "stopped", status="stopped")
        return instance

    def _start(self, original: Any, backend: Any, name: str) -> Any:
        instance = original(backend, name)
        instance.status = "starting"
        self._instances.do(instance, self._instances.database(instance).server.start, "started")
        return instance

    def _delete(
        self,
        _original: Any,
        backend: Any,
        db_instance_identifier: str,
        final_db_snapshot_identifier: str | None = None,
        **options: bool | None,
    ) -> Any:
        instance = instance_of(backend, db_instance_identifier)
        self._refuse_deletion(instance, final_db_snapshot_identifier, options)
        if final_db_snapshot_identifier:
            backend.create_db_snapshot(instance.db_instance_identifier, final_db_snapshot_identifier)
        else:
            # whatever is being made of it is not needed any more
            self._instances.database(instance).server.given_up.set()
        self._instances.end(instance)
        return instance

    def _refuse_deletion(self, instance: Any, snapshot: str | None, options: dict[str, bool | None]) -> None:
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
        if bool(options.get("skip_final_snapshot")) == bool(snapshot):
            raise RDSClientError(
                "InvalidParameterCombination",
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and only then.",
            )
        if options.get("delete_automated_backups") is False:
            raise RDSClientError(
                "InvalidParameterCombination",
                "This local cloud keeps no backups of an instance that is gone.",
            )


def _refuse_cluster(_original: Any, *_rest: Any, **_options: Any) -> Any:
    raise RDSClientError(
        "InvalidParameterCombination", "Nothing stands behind a DB cluster in this local cloud."
    )

"""What this local cloud's RDS refuses: what nothing would stand behind, or what comes too early."""

from __future__ import annotations

import re
from typing import Any

from moto.rds.exceptions import RDSClientError

from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.errors import MissingPostgresError
from steadfleet_local_cloud.postgres import SUPERUSER

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_PASSWORD_LENGTH = range(8, 129)
_PORTS = range(1150, 65536)


def refuse_order(context: Context, backend: Any, wanted: dict[str, Any]) -> None:
    """Refuse an instance that could only be pretended."""
    if wanted.get("engine") != "postgres" or wanted.get("db_cluster_identifier"):
        raise _invalid(
            f"Nothing stands behind engine {wanted.get('engine')!r} in this local cloud, nor behind "
            "clusters: its DB instances are PostgreSQL servers (Engine postgres, no DBClusterIdentifier)."
        )
    if wanted.get("manage_master_user_password"):
        raise _invalid("This local cloud does not manage master passwords: give MasterUserPassword.")
    if backend.region_name not in context.networks:
        raise _invalid(
            f"This local cloud has no databases in {backend.region_name}: "
            f"there is {', '.join(context.networks)}."
        )
    if wanted.get("port") and int(wanted["port"]) not in _PORTS:
        raise RDSClientError(
            "InvalidParameterValue", f"Port {wanted['port']} is not between {_PORTS[0]} and {_PORTS[-1]}."
        )
    refuse_version(wanted.get("engine_version"), _version(context))


def refuse_version(wanted: str | None, version: str) -> None:
    if wanted not in {None, version, version.partition(".")[0]}:
        raise _invalid(f"Cannot find version {wanted} for postgres: this local cloud has {version}.")


def refuse_master(wanted: dict[str, Any]) -> None:
    """Refuse a master user or database that PostgreSQL could not have, or AWS would not."""
    name = str(wanted.get("master_username") or "")
    if not _NAME.fullmatch(name) or name.lower().startswith("pg_") or name == SUPERUSER:
        raise RDSClientError(
            "InvalidParameterValue",
            f"MasterUsername {name!r} cannot be used: a letter, then letters, digits or _, "
            f"and neither pg_… nor {SUPERUSER}, which are the engine's own.",
        )
    refuse_password(str(wanted.get("master_user_password") or ""))
    database = wanted.get("db_name")
    if database and not _NAME.fullmatch(database):
        raise RDSClientError(
            "InvalidParameterValue", f"DBName {database!r} must be a letter, then letters, digits or _."
        )


def refuse_password(password: str) -> None:
    if len(password) not in _PASSWORD_LENGTH:
        raise RDSClientError(
            "InvalidParameterValue", "The parameter MasterUserPassword must have 8 to 128 characters."
        )


def refuse_change(instance: Any, wanted: dict[str, Any]) -> None:
    """Refuse a modification that would be answered and not made."""
    for parameter, now in (("db_port_number", instance.port), ("engine_version", instance.engine_version)):
        if wanted.get(parameter) not in {None, now}:
            raise _invalid(f"This local cloud cannot change {parameter} of a DB instance.")
    if wanted.get("manage_master_user_password"):
        raise _invalid("This local cloud does not manage master passwords: give MasterUserPassword.")
    if instance.is_replica and wanted.get("master_user_password"):
        raise invalid_state(
            f"{instance.db_instance_identifier} is a read replica: its users are those of its source."
        )


def refuse_unavailable(instance: Any) -> None:
    if instance.status == "deleting":
        raise invalid_state(f"Instance {instance.db_instance_identifier} is already being deleted.")
    if instance.status != "available":
        raise invalid_state(
            f"Instance {instance.db_instance_identifier} is {instance.status}, not available: "
            "try again later."
        )


def refuse_unready_snapshot(snapshot: Any) -> None:
    if snapshot.status != "available":
        raise RDSClientError(
            "InvalidDBSnapshotState",
            f"DB snapshot {snapshot.db_snapshot_identifier} is {snapshot.status}, not available: "
            "try again later.",
        )


def invalid_state(message: str) -> RDSClientError:
    return RDSClientError("InvalidDBInstanceState", message)


def _version(context: Context) -> str:
    try:
        return context.databases.programs.version
    except MissingPostgresError as error:
        raise RDSClientError("InsufficientDBInstanceCapacity", str(error)) from error


def _invalid(message: str) -> RDSClientError:
    return RDSClientError("InvalidParameterCombination", message)

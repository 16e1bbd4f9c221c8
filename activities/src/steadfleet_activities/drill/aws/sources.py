"""DB instances and their backups. Every method is one look, and blocks."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef, DBSnapshotTypeDef

_ARN_PARTS = 7


@dataclass(frozen=True)
class Backup:
    """A snapshot, where it lies, and the moment that it holds."""

    id: str
    arn: str
    region: str
    taken_at: datetime
    encrypted: bool = False


@dataclass(frozen=True)
class Window:
    """What can be restored to any time between, in one region. `arn` is that of a replicated backup."""

    earliest: datetime
    latest: datetime
    arn: str = ""


def region_of(store_id: str, home: str) -> str:
    """Read the region of an ARN; a plain identifier is at home."""
    parts = store_id.split(":")
    return parts[3] if store_id.startswith("arn:") and len(parts) >= _ARN_PARTS else home


def instance(aws: DrillAws, name: str) -> "DBInstanceTypeDef | None":
    """Describe one by identifier or ARN."""
    try:
        return aws.rds.describe_db_instances(DBInstanceIdentifier=name.rpartition(":")[2])["DBInstances"][0]
    except ClientError as error:
        if code_of(error) not in {"DBInstanceNotFound", "DBInstanceNotFoundFault"}:
            raise
        return None


def snapshot(aws: DrillAws, name: str) -> "DBSnapshotTypeDef | None":
    try:
        return aws.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]
    except ClientError as error:
        if code_of(error) not in {"DBSnapshotNotFound", "DBSnapshotNotFoundFault"}:
            raise
        return None


def backups(aws: DrillAws, source: str) -> list[Backup]:
    """List the source's finished snapshots in one region, newest first; not those that a drill made."""
    answers = aws.rds.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=source)
    found = [_backup(aws, one) for answer in answers for one in answer["DBSnapshots"] if _usable(one)]
    return sorted(found, key=lambda one: (one.taken_at, one.id), reverse=True)


def window(aws: DrillAws, source: "DBInstanceTypeDef", source_region: str) -> Window | None:
    """Find what can be restored to any time in this region: the source's own backups, or their replicas."""
    if aws.region == source_region and "LatestRestorableTime" in source:
        return _own_window(aws, source)
    answer = aws.rds.describe_db_instance_automated_backups(
        DBInstanceIdentifier=source["DBInstanceIdentifier"]
    )
    for one in answer["DBInstanceAutomatedBackups"]:
        spans = one.get("RestoreWindow", {})
        replicated = one.get("Region") == source_region and "DBInstanceAutomatedBackupsArn" in one
        if replicated and {"EarliestTime", "LatestTime"} <= set(spans):
            earliest, latest = spans["EarliestTime"], spans["LatestTime"]
            return Window(
                earliest.astimezone(UTC), latest.astimezone(UTC), one["DBInstanceAutomatedBackupsArn"]
            )
    return None


def _own_window(aws: DrillAws, source: "DBInstanceTypeDef") -> Window | None:
    """Begin with the oldest automated snapshot: the log is replayed onto one of them."""
    answers = aws.rds.get_paginator("describe_db_snapshots").paginate(
        DBInstanceIdentifier=source["DBInstanceIdentifier"], SnapshotType="automated"
    )
    found = [one for answer in answers for one in answer["DBSnapshots"] if _usable(one)]
    if not found:
        return None
    earliest = min(one["SnapshotCreateTime"] for one in found)
    return Window(earliest.astimezone(UTC), source["LatestRestorableTime"].astimezone(UTC))


def tagged(described: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("TagList", [])}


def _usable(one: "DBSnapshotTypeDef") -> bool:
    return one.get("Status") == "available" and tags.RUN not in tagged(one) and "SnapshotCreateTime" in one


def _backup(aws: DrillAws, one: "DBSnapshotTypeDef") -> Backup:
    # A copy has the time of its own creation; what it holds is as old as the original.
    taken_at = one.get("OriginalSnapshotCreateTime") or one["SnapshotCreateTime"]
    return Backup(
        id=one["DBSnapshotIdentifier"],
        arn=one["DBSnapshotArn"],
        region=aws.region,
        taken_at=taken_at.astimezone(UTC),
        encrypted=bool(one.get("Encrypted")),
    )

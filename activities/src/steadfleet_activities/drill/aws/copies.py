"""A drill's own copy of a DB instance: made once, waited for, promoted. Never the source."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from temporalio.exceptions import ApplicationError

from steadfleet_activities.drill.aws import sources
from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.aws.ensuring import ensured
from steadfleet_activities.drill.aws.names import tags_of
from steadfleet_activities.drill.drivers import Facts
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.errors import UNCLEAR, code_of
from steadfleet_activities.fleet.waiting import looked
from steadfleet_activities.image.amis import written_tags
from steadfleet_core.drill.order import Drill, ResolvedStore
from steadfleet_core.drill.plan import RdsStore
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import format_duration

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef

AVAILABLE = "available"
_AWS_KEY = "alias/aws/rds"
_LOST = frozenset({"failed", "inaccessible-encryption-credentials", "storage-full"})


class Copy:
    """One store's copy in the recovery region."""

    def __init__(
        self, aws: DrillAws, drill: Drill, store: RdsStore, resolved: ResolvedStore, network: Facts
    ) -> None:
        self._aws = aws
        self._drill = drill
        self._store = store
        self._resolved = resolved
        self._network = network

    @property
    def name(self) -> str:
        return self._resolved.copy_id

    def found(self) -> "DBInstanceTypeDef | None":
        """Look for it; one of that name that is not this run's is refused."""
        found = sources.instance(self._aws, self.name)
        if found is not None and sources.tagged(found).get(tags.RUN) != self._drill.run:
            raise RefusedError(
                f"DB instance {self.name} in {self._aws.region} does not carry {tags.RUN}={self._drill.run}: "
                "expected no such instance, or one of this run; find out whose it is, and remove it"
            )
        return found

    def follow(self) -> None:
        """Make a read replica of the source."""
        ensured(f"the replica {self.name}", self.found, self._create_replica)

    def restore_snapshot(self, snapshot: str) -> None:
        def create() -> None:
            self._aws.once.rds.restore_db_instance_from_db_snapshot(
                DBSnapshotIdentifier=snapshot, DBInstanceIdentifier=self.name, **self._placed()
            )

        ensured(f"the copy {self.name}", self.found, create)

    def restore_time(self, at: datetime) -> None:
        replicated = self._resolved.facts.get("backup_arn")
        source: dict[str, Any] = (
            {"SourceDBInstanceAutomatedBackupsArn": replicated}
            if replicated
            else {"SourceDBInstanceIdentifier": self._resolved.facts["identifier"]}
        )

        def create() -> None:
            self._aws.once.rds.restore_db_instance_to_point_in_time(
                TargetDBInstanceIdentifier=self.name, RestoreTime=at, **source, **self._placed()
            )

        ensured(f"the copy {self.name}", self.found, create)

    def promote(self) -> None:
        """Ask for it; as often as one likes: what is no replica any more is left alone."""
        found = self.found()
        if found is None:
            raise RefusedError(
                f"DB instance {self.name} is gone: expected the replica that was made before; run the "
                "drill again"
            )
        if not found.get("ReadReplicaSourceDBInstanceIdentifier"):
            return
        try:
            self._aws.once.rds.promote_read_replica(DBInstanceIdentifier=self.name)
        except UNCLEAR as error:
            # Under way, or its answer was lost: whoever waits for writes will see.
            if not (isinstance(error, ClientError) and code_of(error).startswith("InvalidDBInstanceState")):
                found = self.found()
                if found is not None and found.get("DBInstanceStatus") == AVAILABLE and _follows(found):
                    raise

    def copy_snapshot(self, snapshot_arn: str, source_region: str, *, encrypted: bool) -> str:
        """Bring a snapshot to the recovery region, under the copy's own name."""

        def create() -> None:
            key: dict[str, Any] = {"KmsKeyId": _AWS_KEY} if encrypted else {}
            self._aws.once.rds.copy_db_snapshot(
                SourceDBSnapshotIdentifier=snapshot_arn,
                TargetDBSnapshotIdentifier=self.name,
                SourceRegion=source_region,
                Tags=written_tags(tags_of(self._drill)),
                **key,
            )

        ensured(f"the snapshot {self.name}", lambda: sources.snapshot(self._aws, self.name), create)
        return self.name

    async def await_snapshot(self, limit: timedelta) -> None:
        seen = await looked(
            lambda one: one is not None and one.get("Status") in {AVAILABLE, "failed"},
            limit,
            sources.snapshot,
            self._aws,
            self.name,
        )
        status = seen.get("Status", "") if seen else "gone"
        if status != AVAILABLE:
            raise _unfinished(f"snapshot {self.name} is {status}", limit)

    async def await_available(self, limit: timedelta, *, alone: bool = False) -> "DBInstanceTypeDef":
        """Wait until it is there; `alone` also until it follows nothing any more."""

        def done(one: "DBInstanceTypeDef | None") -> bool:
            if one is None or _lost(one):
                return one is not None
            return (
                one.get("DBInstanceStatus") == AVAILABLE
                and "Endpoint" in one
                and not (alone and _follows(one))
            )

        seen = await looked(done, limit, self.found)
        if seen is None or _lost(seen) or not done(seen):
            status = seen.get("DBInstanceStatus", "") if seen else "gone"
            raise _unfinished(f"DB instance {self.name} is {status}", limit)
        return seen

    def _create_replica(self) -> None:
        facts = self._resolved.facts
        elsewhere = facts["region"] != self._aws.region
        more: dict[str, Any] = {"SourceRegion": facts["region"]} if elsewhere else {}
        if elsewhere and facts.get("encrypted"):
            more["KmsKeyId"] = _AWS_KEY
        self._aws.once.rds.create_db_instance_read_replica(
            DBInstanceIdentifier=self.name,
            SourceDBInstanceIdentifier=facts["arn"] if elsewhere else facts["identifier"],
            **self._placed(),
            **more,
        )

    def _placed(self) -> dict[str, Any]:
        return {
            "DBInstanceClass": self._store.instance_class,
            "DBSubnetGroupName": self._network["subnet_group"],
            "VpcSecurityGroupIds": [self._network["security_group"]],
            "PubliclyAccessible": False,
            "MultiAZ": False,
            "DeletionProtection": False,
            "Tags": written_tags(tags_of(self._drill)),
        }


def facts_of(found: "DBInstanceTypeDef", more: Mapping[str, str]) -> Facts:
    endpoint = found["Endpoint"]
    return {
        "host": endpoint["Address"],
        "port": str(endpoint["Port"]),
        "id": found["DBInstanceIdentifier"],
        **more,
    }


def _follows(found: "DBInstanceTypeDef") -> bool:
    return bool(found.get("ReadReplicaSourceDBInstanceIdentifier"))


def _lost(found: "DBInstanceTypeDef") -> bool:
    status = found.get("DBInstanceStatus", "")
    return status in _LOST or status.startswith("incompatible-")


def _unfinished(what: str, limit: timedelta) -> ApplicationError:
    # Not tried again by itself: the time that it may take is over, and a person decides what to do.
    return ApplicationError(
        f"{what} after {format_duration(limit)}: expected it to be available; look at its events in RDS, "
        "and then retry the step or abort",
        type="NotAvailable",
        non_retryable=True,
    )

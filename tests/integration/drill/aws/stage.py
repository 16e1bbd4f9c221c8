"""A home region with a database that serves, a recovery region with an image, and a driver for both."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from integration.local_cloud.waiting import until
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.drills import PlatformDrills
from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_core.drill.report import CheckResult, IsolationResult, Preflight
from steadfleet_core.drill.steps import Step, StepKind, steps_of
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.drill import (
    DrillInspection,
    DrillPreparation,
    IsolationProbe,
    StepRequest,
    ValidationRequest,
)
from steadfleet_ports.image import ImageDecision, ImageVerification

HOME, RECOVERY = "eu-west-1", "eu-central-1"
PASSWORD = "a-long-password"
RELEASE = Path(__file__).parents[4] / "examples" / "web" / "good-1.0"
BUCKET = "steadfleet-plans"
RPO = timedelta(minutes=15)


class Judge:
    """Stands for a trust policy: it refuses the images that it is told to."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    async def verify_image(self, verification: ImageVerification) -> ImageDecision:
        allowed = verification.image.id not in self.refused
        reasons = () if allowed else ("it is not signed",)
        return ImageDecision(image=verification.image.id, allowed=allowed, enforced=True, reasons=reasons)


class Stage:
    """Production stands at home: a database `orders` with one order in it, and a snapshot of that."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.judge = Judge()
        self.env = {
            "AWS_REGION": HOME,
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "STEADFLEET_RESOLVER": "{}:{}".format(*cloud.resolver),
            "ORDERS_PASSWORD": PASSWORD,
        }
        self.drills = PlatformDrills.from_environment(self.env, verifier=self.judge)
        self.home = DrillAws.connect(**cloud.client_settings_for(HOME))
        self.recovery = DrillAws.connect(**cloud.client_settings_for(RECOVERY))
        self.image = cloud.register_image("web-1.0", RELEASE, region=RECOVERY)
        location: Any = {"LocationConstraint": HOME}
        self.home.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        self._produce()

    def _produce(self) -> None:
        self.home.rds.create_db_instance(
            DBInstanceIdentifier="orders",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            MasterUsername="owner",
            MasterUserPassword=PASSWORD,
            DBName="shop",
            BackupRetentionPeriod=1,
        )
        until(lambda: self.status(self.home, "orders"), lambda status: status == "available", seconds=60)
        self.sql(self.source, "CREATE TABLE orders (n int)")
        self.sql(self.source, "INSERT INTO orders VALUES (1)")
        self.snapshot("nightly")

    @property
    def source(self) -> str:
        endpoint = self.home.rds.describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"][0][
            "Endpoint"
        ]
        return f"{endpoint['Address']}:{endpoint['Port']}"

    def snapshot(self, name: str) -> None:
        self.home.rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=name)

        def status() -> str:
            found = self.home.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
            return found[0]["Status"]

        until(status, lambda seen: seen == "available", seconds=60)

    @staticmethod
    def status(aws: DrillAws, name: str) -> str:
        return aws.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"]

    @staticmethod
    def sql(address: str, statement: Any) -> list[tuple[Any, ...]]:
        host, _, port = address.rpartition(":")
        with psycopg.connect(
            host=host, port=port, user="owner", password=PASSWORD, dbname="shop", autocommit=True
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    async def until_restorable(self, at: datetime) -> None:
        """Wait until the source can be restored as it was then."""

        def latest() -> datetime:
            found = self.home.rds.describe_db_instances(DBInstanceIdentifier="orders")
            return found["DBInstances"][0]["LatestRestorableTime"]

        until(latest, lambda seen: seen >= at, seconds=60)

    @contextmanager
    def standing_replica(self) -> Iterator[str]:
        """Let production keep a replica in the recovery region, in a VPC of its own, which is given."""
        aws, source = self.recovery, self.home.rds.describe_db_instances(DBInstanceIdentifier="orders")
        vpc = aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            aws.ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{RECOVERY}{zone}"
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        aws.rds.create_db_subnet_group(
            DBSubnetGroupName="standing", DBSubnetGroupDescription="production's", SubnetIds=subnets
        )
        aws.rds.create_db_instance_read_replica(
            DBInstanceIdentifier="standing",
            SourceDBInstanceIdentifier=source["DBInstances"][0]["DBInstanceArn"],
            DBSubnetGroupName="standing",
        )
        until(lambda: self.status(aws, "standing"), lambda status: status == "available", seconds=60)
        try:
            yield vpc
        finally:
            aws.rds.delete_db_instance(DBInstanceIdentifier="standing", SkipFinalSnapshot=True)
            until(lambda: self._names(aws), lambda names: "standing" not in names, seconds=60)
            aws.rds.delete_db_subnet_group(DBSubnetGroupName="standing")

    @staticmethod
    def _names(aws: DrillAws) -> list[str]:
        return [one["DBInstanceIdentifier"] for one in aws.rds.describe_db_instances()["DBInstances"]]

    def until_healthy(self, target_group: str, count: int) -> None:
        """Wait until the load balancer carries requests to so many machines: to the witness, that is."""

        def states() -> list[str]:
            found = self.recovery.elbv2.describe_target_health(TargetGroupArn=target_group)
            return [one["TargetHealth"]["State"] for one in found["TargetHealthDescriptions"]]

        until(states, lambda seen: seen == ["healthy"] * count, seconds=60)

    def plan(self, strategy: str = "backup-restore", **spec: Any) -> DrillPlan:
        said: dict[str, Any] = {
            "strategy": strategy,
            "recovery": {"region": RECOVERY},
            "objectives": {"rto": "1h", "rpo": "15m"},
            "stores": [
                {
                    "type": "rds",
                    "name": "orders",
                    "id": "orders",
                    "database": "shop",
                    "user": "owner",
                    "password": {"environment": "ORDERS_PASSWORD"},
                    "restoreTimeLimit": "1m",
                }
            ],
            "services": [
                {
                    "type": "group",
                    "name": "web",
                    "dependsOn": ["orders"],
                    "image": {"id": self.image},
                    "count": 2,
                    "port": 8080,
                    "readiness": {"path": "/healthz"},
                    "environment": {"DATABASE": "${orders.host}:${orders.port}", "SELF": "${web.host}"},
                    "startTimeLimit": "1m",
                }
            ],
        }
        return DrillPlan.model_validate(
            {
                "apiVersion": "steadfleet.dev/v1",
                "kind": "DrillPlan",
                "metadata": {"name": "shop"},
                "spec": said | spec,
            }
        )

    async def prepare(self, plan: DrillPlan, run: str, drills: PlatformDrills | None = None) -> Drill:
        now = datetime.now(UTC)
        order = DrillOrder(plan=plan, requested_by="ops")
        wanted = DrillPreparation(order=order, run=run, at=now, expires_at=now + timedelta(hours=1))
        drill: Drill = await ActivityEnvironment().run((drills or self.drills).prepare_drill, wanted)
        return drill

    async def inspect(self, drill: Drill, drills: PlatformDrills | None = None) -> Preflight:
        inspection = DrillInspection(drill=drill, at=datetime.now(UTC))
        found: Preflight = await ActivityEnvironment().run((drills or self.drills).inspect_drill, inspection)
        return found

    async def take(self, drill: Drill, step: Step, made: dict[str, dict[str, str]]) -> dict[str, str]:
        """Carry out one step, and add its facts to what is made."""
        activities: dict[StepKind, Any] = {
            StepKind.ISOLATE: self.drills.isolate_drill,
            StepKind.REPLICATE: self.drills.replicate_store,
            StepKind.RESTORE: self.drills.restore_store,
            StepKind.PROVISION: self.drills.provision_service,
            StepKind.START: self.drills.start_service,
        }
        request = StepRequest(drill=drill, step=step, made=made)
        facts: dict[str, str] = (await ActivityEnvironment().run(activities[step.kind], request)).facts
        made[step.name] = facts
        return facts

    async def recover(
        self,
        drill: Drill,
        kinds: Iterable[StepKind] = StepKind,
        made: dict[str, dict[str, str]] | None = None,
    ) -> dict[str, dict[str, str]]:
        """Carry out the steps of these kinds, after what is made."""
        made = {} if made is None else made
        for step in steps_of(drill.plan.spec):
            if step.kind in kinds:
                await self.take(drill, step, made)
        return made

    async def validate(self, drill: Drill, made: dict[str, dict[str, str]]) -> dict[str, CheckResult]:
        found: dict[str, CheckResult] = {}
        for check in drill.plan.spec.validations:
            request = ValidationRequest(drill=drill, validation=check, made=made)
            found[check.name] = await ActivityEnvironment().run(self.drills.validate_recovery, request)
        return found

    async def probe(self, drill: Drill, made: dict[str, dict[str, str]]) -> IsolationResult:
        result: IsolationResult = await ActivityEnvironment().run(
            self.drills.probe_isolation, IsolationProbe(drill=drill, made=made)
        )
        return result

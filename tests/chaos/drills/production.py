"""What there is before disaster strikes: a database at home that is written to, and last night's snapshot."""

import time
from pathlib import Path
from typing import Any

import boto3
import psycopg

from steadfleet_cli.parts import BUCKETS, OTHER_REGION, REGION
from steadfleet_local_cloud import LocalCloud

HOME, AWAY = REGION, OTHER_REGION
DATABASE, PARAMETER, PASSWORD = "orders", "/orders/password", "only-of-this-test"
RELEASE = Path(__file__).parents[3] / "examples" / "web" / "good-1.0"
_PATIENCE = 120.0
_LEDGER = "select count(*) from steadfleet_ledger"


class Production:
    """Made by plain boto3, as an operator has it. `image` is in the recovery region."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.rds = self.client("rds")
        for bucket in BUCKETS:
            self.client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME}
            )
        for region in (HOME, AWAY):
            self.client("ssm", region).put_parameter(Name=PARAMETER, Value=PASSWORD, Type="SecureString")
        self.image = cloud.register_image("web-1.0", RELEASE, region=AWAY)
        self.endpoint = self._database()

    def client(self, service: str, region: str = HOME) -> Any:
        return boto3.client(service, **self.cloud.client_settings_for(region))  # type: ignore[call-overload]

    def write_ledgers(self, file: Path) -> None:
        """Tell the witness which ledger it keeps."""
        file.write_text(
            f"ledgers:\n  - name: orders\n    host: {self.endpoint['Address']}\n"
            f"    port: {self.endpoint['Port']}\n    database: shop\n    user: owner\n"
            f"    password: {{parameter: {PARAMETER}}}\n    interval: 0.2s\n"
        )

    def back_up(self) -> None:
        """Take a snapshot when the witness has written something, and go on until it has written more."""
        self._await_rows(5)
        self.rds.create_db_snapshot(DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier="nightly")
        self._await(
            lambda: self.rds.describe_db_snapshots(DBSnapshotIdentifier="nightly")["DBSnapshots"],
            lambda found: found[0]["Status"] == "available",
        )
        self._await_rows(20)

    def _database(self) -> dict[str, Any]:
        self.rds.create_db_instance(
            DBInstanceIdentifier=DATABASE,
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            MasterUsername="owner",
            MasterUserPassword=PASSWORD,
            DBName="shop",
            BackupRetentionPeriod=1,
        )
        (found,) = self._await(
            lambda: self.rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"],
            lambda found: found[0]["DBInstanceStatus"] == "available",
        )
        return dict(found["Endpoint"])

    def _await_rows(self, rows: int) -> None:
        self._await(self._rows, lambda found: found >= rows)

    def _rows(self) -> int:
        place = {"host": self.endpoint["Address"], "port": self.endpoint["Port"], "dbname": "shop"}
        with psycopg.connect(**place, user="owner", password=PASSWORD) as connection:
            try:
                row = connection.execute(_LEDGER).fetchone()
            except psycopg.errors.UndefinedTable:
                return 0
        return int(row[0]) if row else 0

    def _await(self, look: Any, good: Any) -> Any:
        deadline = time.monotonic() + _PATIENCE
        while not good(found := look()):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

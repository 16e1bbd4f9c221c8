"""What there is before disaster strikes: a database with orders in one region, images in the other.

Made by plain AWS calls, as an operator has it on AWS; only images come from folders, as the local
cloud has no other way.
"""

import json
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import boto3
import psycopg
from botocore.config import Config
from botocore.exceptions import ClientError

from steadfleet_core.errors import RefusedError
from steadfleet_dr_drill.rehearsal import shop
from steadfleet_dr_drill.rehearsal.local_cloud import LocalCloud

HOME, AWAY = "eu-west-1", "eu-central-1"
"""The regions of a stack that `steadfleet up` starts."""
USER = DATABASE = "shop"
ORDERS = 500
_PATIENCE = 120.0
_LOOK_EVERY = 0.2
_GONE = {"DBInstanceNotFound", "DBInstanceNotFoundFault", "DBSnapshotNotFound", "DBSnapshotNotFoundFault"}


class Production:
    """A shop by a name that all of it carries; `remove` takes away what was made of it, and only that."""

    def __init__(self, cloud: LocalCloud, name: str = "shop") -> None:
        self.cloud = cloud
        self.name = name
        self.database = f"{name}-orders"
        self.parameter = f"/{name}/password"
        self.password = secrets.token_urlsafe(16)
        self.endpoint: Mapping[str, Any] = {}
        self._snapshots: list[str] = []
        self._images: list[str] = []
        self._parameters: list[tuple[str, str]] = []

    def make(self) -> None:
        """Make the database with its orders, and its password where it is needed."""
        for region in (HOME, AWAY):
            self.put_parameter(region, self.parameter, self.password)
        rds = self._client("rds", HOME)
        rds.create_db_instance(
            DBInstanceIdentifier=self.database,
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername=USER,
            MasterUserPassword=self.password,
            DBName=DATABASE,
            BackupRetentionPeriod=1,
        )
        _await(f"database {self.database}", lambda: self._status(HOME, self.database) == "available")
        self.endpoint = self._described(HOME, self.database)["Endpoint"]
        self.make_orders()

    def make_orders(self) -> None:
        with self.connected() as connection:
            connection.execute("create table orders (id int primary key, item text, amount int)")
        self.sell(ORDERS)

    def sell(self, orders: int) -> None:
        """Write so many more orders."""
        with self.connected() as connection:
            connection.execute(
                "insert into orders select i, 'item ' || i %% 7, i * 3 %% 101 from"
                " (select coalesce(max(id), 0) as sold from orders) as before,"
                " generate_series(sold + 1, sold + %s) i",
                [orders],
            )

    def put_parameter(self, region: str, name: str, value: str) -> None:
        self._parameters.append((region, name))
        self._client("ssm", region).put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def back_up(self) -> str:
        """Take a snapshot, and copy it to the other region, as a nightly job would; return its name."""
        name = f"{self.database}-nightly-{len(self._snapshots)}"
        self._snapshots.append(name)
        home, away = self._client("rds", HOME), self._client("rds", AWAY)
        made = home.create_db_snapshot(DBInstanceIdentifier=self.database, DBSnapshotIdentifier=name)
        _await(f"snapshot {name}", lambda: _snapshot_there(home, name))
        away.copy_db_snapshot(
            SourceDBSnapshotIdentifier=made["DBSnapshot"]["DBSnapshotArn"],
            TargetDBSnapshotIdentifier=name,
            SourceRegion=HOME,
        )
        _await(f"the copy of snapshot {name}", lambda: _snapshot_there(away, name))
        return name

    def release(self, version: str, **said: Any) -> str:
        """Make an image of the shop in the recovery region; `said` is what is wrong with it."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "run"
            shutil.copyfile(shop.__file__, program)
            program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            (Path(folder) / "shop.json").write_text(json.dumps({"version": version, **said}) + "\n")
            tags = {"steadfleet:family": self.name, "steadfleet:version": version}
            image = self.cloud.register_image(f"{self.name}-{version}", Path(folder), tags, AWAY)
        self._images.append(image)
        return image

    def connected(self) -> "psycopg.Connection[Any]":
        return self.connected_to(self.endpoint)

    def connected_to(self, endpoint: Mapping[str, Any]) -> "psycopg.Connection[Any]":
        """Connect to the database, or to a copy of it."""
        return psycopg.connect(
            host=endpoint["Address"],
            port=endpoint["Port"],
            dbname=DATABASE,
            user=USER,
            password=self.password,
            autocommit=True,
        )

    def ledger(self, name: str, interval: str) -> dict[str, Any]:
        """Say it as it stands in a witness's file."""
        return {
            "name": name,
            "host": self.endpoint["Address"],
            "port": self.endpoint["Port"],
            "database": DATABASE,
            "user": USER,
            "password": {"parameter": self.parameter},
            "interval": interval,
        }

    def await_writes(self, rows: int) -> None:
        """Wait until the witness has written so many more."""
        wanted = self.writes() + rows
        _await(
            f"write {wanted} of the witness in {self.database}",
            lambda: self.writes() >= wanted,
            "its log says which file of ledgers it follows, and what of it is not kept",
        )

    def writes(self) -> int:
        """Count what the witness has written."""
        with self.connected() as connection:
            return count_writes(connection)

    def remove(self) -> None:
        """Take away whatever was made, also after half of it; removing again is safe."""
        while self._images:
            ec2 = self._client("ec2", AWAY)
            with suppress(ClientError):
                ec2.deregister_image(ImageId=self._images[-1], DeleteAssociatedSnapshots=True)
            self._images.pop()
        for region in (HOME, AWAY):
            for name in self._snapshots:
                _unless_gone(self._client("rds", region).delete_db_snapshot, DBSnapshotIdentifier=name)
        for region, name in dict.fromkeys(self._parameters):
            with suppress(ClientError):
                self._client("ssm", region).delete_parameter(Name=name)
        _unless_gone(
            self._client("rds", HOME).delete_db_instance,
            DBInstanceIdentifier=self.database,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=True,
        )
        _await(f"the end of {self.database}", lambda: self._status(HOME, self.database) == "")

    def copy_of(self, name: str) -> Mapping[str, Any]:
        """Describe a database in the recovery region; empty if there is none."""
        return self._described(AWAY, name) if self._status(AWAY, name) else {}

    def _status(self, region: str, name: str) -> str:
        try:
            return str(self._described(region, name).get("DBInstanceStatus", ""))
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            return ""

    def _described(self, region: str, name: str) -> Mapping[str, Any]:
        found = self._client("rds", region).describe_db_instances(DBInstanceIdentifier=name)
        return cast("Mapping[str, Any]", found["DBInstances"][0])

    def _client(self, service: str, region: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]  # which one is not known here
            region_name=region,
            endpoint_url=self.cloud.url,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  # a local cloud checks none
            config=Config(retries={"mode": "standard", "max_attempts": 5}),
        )


def count_writes(connection: "psycopg.Connection[Any]") -> int:
    found = connection.execute("select to_regclass('steadfleet_ledger')").fetchone()
    if not (found and found[0]):
        return 0
    counted = connection.execute("select count(*) from steadfleet_ledger").fetchone()
    return int(counted[0]) if counted else 0


def _snapshot_there(rds: Any, name: str) -> bool:
    found = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]
    return bool(found["Status"] == "available")


def _unless_gone(delete: Callable[..., object], **what: object) -> None:
    try:
        delete(**what)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {*_GONE, "InvalidDBInstanceState"}:
            raise


def _await(what: str, there: Callable[[], bool], advice: str = "read the local cloud's log") -> None:
    """Look until it is so; raises `RefusedError`."""
    deadline = time.monotonic() + _PATIENCE
    while not there():
        if time.monotonic() > deadline:
            raise RefusedError(f"{what} is not there after {_PATIENCE:g} s: {advice}")
        time.sleep(_LOOK_EVERY)

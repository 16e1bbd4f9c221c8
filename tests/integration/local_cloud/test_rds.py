"""DB instances are real PostgreSQL servers, and their snapshots, replicas and backups hold real rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud

if TYPE_CHECKING:
    from mypy_boto3_rds.client import RDSClient

HOME, OTHER = "eu-west-1", "eu-central-1"
PASSWORD = "a-long-password"
DRILL: Any = [{"Key": "drill", "Value": "one"}]


class Region:
    """RDS in one region, without boto3's retries, and the databases that it made."""

    def __init__(self, cloud: LocalCloud, region: str) -> None:
        config = Config(retries={"total_max_attempts": 1})
        self.rds: RDSClient = boto3.client("rds", **cloud.client_settings_for(region), config=config)

    def create(self, name: str, **options: Any) -> Any:
        order: dict[str, Any] = {"MasterUserPassword": PASSWORD, "DBName": "shop", "BackupRetentionPeriod": 0}
        made = self.rds.create_db_instance(
            DBInstanceIdentifier=name,
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            MasterUsername="owner",
            **order | options,
        )
        return made["DBInstance"]

    def instance(self, name: str) -> Any:
        return self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    def available(self, name: str, status: str = "available") -> Any:
        return until(lambda: self.instance(name), lambda seen: seen["DBInstanceStatus"] == status, seconds=60)

    def snapshot(self, name: str) -> Any:
        def look() -> Any:
            return self.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]

        return until(look, lambda seen: seen["Status"] == "available", seconds=60)

    def connect(self, name: str, password: str = PASSWORD) -> psycopg.Connection[tuple[Any, ...]]:
        endpoint = self.instance(name)["Endpoint"]
        return psycopg.connect(
            host=endpoint["Address"],
            port=endpoint["Port"],
            user="owner",
            password=password,
            dbname="shop",
            autocommit=True,
        )

    def sql(self, name: str, statement: Any) -> list[tuple[Any, ...]]:
        with self.connect(name) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def rows(self, name: str) -> list[int]:
        return [row[0] for row in self.sql(name, "SELECT n FROM orders ORDER BY n")]

    def names(self) -> list[str]:
        return [one["DBInstanceIdentifier"] for one in self.rds.describe_db_instances()["DBInstances"]]

    def delete(self, name: str) -> None:
        self.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        until(lambda: name in self.names(), lambda there: not there, seconds=60)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path_factory.mktemp("cloud"), regions=(HOME, OTHER)) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def other(cloud: LocalCloud) -> Region:
    return Region(cloud, OTHER)


@pytest.fixture(scope="module")
def home(cloud: LocalCloud) -> Iterator[Region]:
    """Open the home region, with a database `shop` that holds order 1 and keeps backups."""
    home = Region(cloud, HOME)
    before = cloud.inventory()
    home.create("shop", BackupRetentionPeriod=1)
    home.available("shop")
    home.sql("shop", "CREATE TABLE orders (n int)")
    home.sql("shop", "INSERT INTO orders VALUES (1)")
    yield home
    home.delete("shop")
    assert {kind: items for kind, items in cloud.inventory().items() if items} == {
        kind: items for kind, items in before.items() if items
    }


@pytest.fixture(autouse=True)
def no_faults(cloud: LocalCloud) -> Iterator[None]:
    yield
    cloud.clear_faults()


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_an_instance_lives_as_its_server_does(cloud: LocalCloud, home: Region) -> None:
    made = home.create("life", Port=5544, Tags=DRILL)
    assert (made["DBInstanceStatus"], made.get("Endpoint")) == ("creating", None)
    described = home.available("life")
    assert (described["Endpoint"]["Port"], described["TagList"]) == (5544, DRILL)
    assert home.rds.list_tags_for_resource(ResourceName=made["DBInstanceArn"])["TagList"] == DRILL
    home.sql("life", "CREATE TABLE orders AS SELECT 7 AS n")
    assert home.sql("life", "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    started = home.sql("life", "SELECT pg_postmaster_start_time()")

    home.rds.reboot_db_instance(DBInstanceIdentifier="life")
    home.available("life")
    assert home.sql("life", "SELECT pg_postmaster_start_time()") > started
    home.rds.stop_db_instance(DBInstanceIdentifier="life")
    home.available("life", "stopped")
    with pytest.raises(psycopg.OperationalError):
        home.connect("life")
    home.rds.start_db_instance(DBInstanceIdentifier="life")
    home.available("life")
    assert home.rows("life") == [7]

    home.delete("life")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(
            host=described["Endpoint"]["Address"], port=5544, user="owner", password=PASSWORD, dbname="shop"
        )
    events = [entry["event"] for entry in cloud.record() if entry.get("database") == "life"]
    assert events == ["created", "rebooted", "stopped", "started", "deleted"]


def test_only_the_password_of_now_is_let_in(home: Region) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        home.connect("shop", "another-password")

    home.rds.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword="another-password")
    home.connect("shop", "another-password").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        home.connect("shop")
    home.rds.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword=PASSWORD)


def test_a_snapshot_copied_and_restored_elsewhere_holds_the_rows_of_its_time(
    cloud: LocalCloud, home: Region, other: Region
) -> None:
    rows = home.rows("shop")
    asked = datetime.now(UTC)
    home.rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="first")
    taken = home.snapshot("first")
    assert asked <= taken["SnapshotCreateTime"] <= datetime.now(UTC)
    home.sql("shop", "INSERT INTO orders SELECT max(n) + 1 FROM orders")

    copy = other.rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=taken["DBSnapshotArn"], TargetDBSnapshotIdentifier="copy", Tags=DRILL
    )["DBSnapshot"]
    assert other.snapshot("copy")["OriginalSnapshotCreateTime"] == taken["SnapshotCreateTime"]
    assert other.rds.list_tags_for_resource(ResourceName=copy["DBSnapshotArn"])["TagList"] == DRILL
    other.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="restored", DBSnapshotIdentifier="copy", BackupRetentionPeriod=0, Tags=DRILL
    )
    restored = other.available("restored")
    assert (other.rows("restored"), restored["TagList"]) == (rows, DRILL)
    assert restored["AvailabilityZone"].startswith(OTHER)

    other.delete("restored")
    other.rds.delete_db_snapshot(DBSnapshotIdentifier="copy")
    home.rds.delete_db_snapshot(DBSnapshotIdentifier="first")


def test_a_replica_follows_and_stands_alone_once_promoted(home: Region, other: Region) -> None:
    source = home.instance("shop")["DBInstanceArn"]
    other.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="replica", SourceDBInstanceIdentifier=source, SourceRegion=HOME, Tags=DRILL
    )
    replica = other.available("replica")
    assert (replica["ReadReplicaSourceDBInstanceIdentifier"], replica["TagList"]) == (source, DRILL)
    assert home.instance("shop")["ReadReplicaDBInstanceIdentifiers"] == [replica["DBInstanceArn"]]
    home.sql("shop", "INSERT INTO orders SELECT max(n) + 1 FROM orders")
    until(lambda: other.rows("replica") == home.rows("shop"))
    assert other.sql("replica", "SELECT now() - pg_last_xact_replay_timestamp()")[0][0] < timedelta(minutes=1)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        other.sql("replica", "INSERT INTO orders VALUES (0)")

    other.rds.promote_read_replica(DBInstanceIdentifier="replica")
    assert "ReadReplicaSourceDBInstanceIdentifier" not in other.available("replica")
    assert home.instance("shop")["ReadReplicaDBInstanceIdentifiers"] == []
    other.sql("replica", "INSERT INTO orders VALUES (0)")
    assert 0 not in home.rows("shop")
    other.delete("replica")


def test_a_point_between_two_commits_has_the_first_and_not_the_second(home: Region) -> None:
    before = home.rows("shop")
    home.sql("shop", "INSERT INTO orders VALUES (1001)")
    ((between,),) = home.sql("shop", "SELECT clock_timestamp()")
    home.sql("shop", "INSERT INTO orders VALUES (1002)")
    restore = partial(
        home.rds.restore_db_instance_to_point_in_time,
        SourceDBInstanceIdentifier="shop",
        BackupRetentionPeriod=0,
    )
    with pytest.raises(ClientError) as refused:
        restore(
            TargetDBInstanceIdentifier="future",
            RestoreTime=between + timedelta(hours=1),
        )
    assert code(refused) == "InvalidParameterValue"

    until(lambda: home.instance("shop")["LatestRestorableTime"], lambda latest: latest >= between)
    restore(TargetDBInstanceIdentifier="between", RestoreTime=between)
    restore(TargetDBInstanceIdentifier="latest", UseLatestRestorableTime=True)
    home.available("between")
    home.available("latest")
    assert home.rows("between") == [*before, 1001]
    assert home.rows("latest") == [*before, 1001, 1002]
    home.delete("between")
    home.delete("latest")


def test_a_stale_replica_lacks_what_was_committed_later(cloud: LocalCloud, home: Region) -> None:
    home.rds.create_db_instance_read_replica(DBInstanceIdentifier="stale", SourceDBInstanceIdentifier="shop")
    home.available("stale")
    home.sql("shop", "INSERT INTO orders VALUES (2001)")
    until(lambda: 2001 in home.rows("stale"))

    cloud.add_fault("stale-replica", database="stale")
    home.sql("shop", "INSERT INTO orders VALUES (2002)")
    home.rds.promote_read_replica(DBInstanceIdentifier="stale", BackupRetentionPeriod=0)
    home.available("stale")
    assert 2001 in home.rows("stale")
    assert 2002 not in home.rows("stale")
    home.delete("stale")


def test_a_replica_that_was_stale_catches_up(cloud: LocalCloud, home: Region) -> None:
    fault = cloud.add_fault("stale-replica")
    home.rds.create_db_instance_read_replica(DBInstanceIdentifier="late", SourceDBInstanceIdentifier="shop")
    home.available("late")
    assert home.sql("late", "SELECT pg_last_wal_receive_lsn() IS NOT NULL") == [(True,)], "it never heard"
    home.sql("shop", "INSERT INTO orders VALUES (3001)")
    assert 3001 not in home.rows("late")

    cloud.clear_faults(fault)
    until(lambda: 3001 in home.rows("late"))
    home.delete("late")


def test_a_delete_can_fail_and_a_restore_be_slow(cloud: LocalCloud, home: Region) -> None:
    cloud.add_fault("failed-delete", database="slow", count=1)
    slow = cloud.add_fault("slow-restore", database="slow", seconds=3600)
    home.rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="source")
    home.snapshot("source")
    before = cloud.inventory()
    home.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="slow", DBSnapshotIdentifier="source")
    until(lambda: slow.struck)
    assert home.instance("slow")["DBInstanceStatus"] == "creating"

    with pytest.raises(ClientError) as refused:
        home.delete("slow")
    assert code(refused) == "InvalidDBInstanceState"
    home.delete("slow")
    assert cloud.inventory() == before
    home.rds.delete_db_snapshot(DBSnapshotIdentifier="source")


def test_a_final_snapshot_holds_what_was_there_last(cloud: LocalCloud, home: Region) -> None:
    before = cloud.inventory()
    home.create("gone")
    home.available("gone")
    home.sql("gone", "CREATE TABLE orders AS SELECT 42 AS n")
    home.rds.delete_db_instance(DBInstanceIdentifier="gone", FinalDBSnapshotIdentifier="last")
    assert home.instance("gone")["DBInstanceStatus"] == "deleting"
    home.snapshot("last")
    until(lambda: "gone" in home.names(), lambda there: not there)

    home.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="last")
    home.available("again")
    assert home.rows("again") == [42]
    home.delete("again")
    home.rds.delete_db_snapshot(DBSnapshotIdentifier="last")
    assert cloud.inventory() == before


def test_throttling_and_lost_answers_meet_databases_too(cloud: LocalCloud, home: Region) -> None:
    cloud.add_fault("throttle", action="DescribeDBInstances", count=1)
    with pytest.raises(ClientError) as throttled:
        home.names()
    assert code(throttled) == "Throttling"

    cloud.add_fault("lost", action="CreateDBSnapshot", count=1)
    with pytest.raises(ConnectionClosedError):
        home.rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="heard-by-nobody")
    home.snapshot("heard-by-nobody")
    home.rds.delete_db_snapshot(DBSnapshotIdentifier="heard-by-nobody")

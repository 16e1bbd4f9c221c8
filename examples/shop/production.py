"""What there is before disaster strikes: a database with orders in one region, an image in the other.

`production(env)` makes it in a local cloud with plain AWS calls, as an operator has it on AWS.
"""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import psycopg

HERE = Path(__file__).resolve().parent
HOME, AWAY = "eu-west-1", "eu-central-1"
DATABASE, PARAMETER, ORDERS = "shop-orders", "/shop/password", 500
PASSWORD = "only-of-this-demonstration"
_PATIENCE = 120.0


def client(service: str, region: str, env: Mapping[str, str]) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]  # which one is not known here
        region_name=region,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def production(env: Mapping[str, str], release: str = "shop-1.0") -> dict[str, Any]:
    """Make the database with its orders, the password, and the image; return the database's endpoint."""
    endpoint = make_database(env)
    with connected(endpoint) as connection:
        connection.execute("create table if not exists orders (id int primary key, item text, amount int)")
        connection.execute(
            "insert into orders select i, 'item ' || i %% 7, i * 3 %% 101 from generate_series(1, %s) i"
            " on conflict do nothing",
            [ORDERS],
        )
    for region in (HOME, AWAY):
        client("ssm", region, env).put_parameter(
            Name=PARAMETER, Value=PASSWORD, Type="SecureString", Overwrite=True
        )
    register(env, release)
    return endpoint


def make_database(env: Mapping[str, str]) -> dict[str, Any]:
    rds = client("rds", HOME, env)
    rds.create_db_instance(
        DBInstanceIdentifier=DATABASE,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="shop",
        MasterUserPassword=PASSWORD,
        DBName="shop",
        BackupRetentionPeriod=1,
    )
    return dict(await_database(rds, DATABASE)["Endpoint"])


def await_database(rds: Any, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        if found["DBInstanceStatus"] == "available":
            return dict(found)
        if time.monotonic() > deadline:
            raise TimeoutError(f"database {name} is still {found['DBInstanceStatus']}")
        time.sleep(0.2)


def back_up(env: Mapping[str, str], name: str = "shop-orders-nightly") -> None:
    """Take a snapshot, and copy it to the other region, as a nightly job would."""
    rds, away = client("rds", HOME, env), client("rds", AWAY, env)
    made = rds.create_db_snapshot(DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier=name)["DBSnapshot"]
    await_snapshot(rds, name)
    away.copy_db_snapshot(
        SourceDBSnapshotIdentifier=made["DBSnapshotArn"],
        TargetDBSnapshotIdentifier=name,
        SourceRegion=HOME,
    )
    await_snapshot(away, name)


def await_snapshot(rds: Any, name: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"] != "available":
        if time.monotonic() > deadline:
            raise TimeoutError(f"snapshot {name} is not there")
        time.sleep(0.2)


def register(env: Mapping[str, str], release: str) -> str:
    """Make an image of the shop in the recovery region, from a folder."""
    version = "1.0.0" if release == "shop-1.0" else "1.0.1"
    words = ["image", "register", release, "--from", str(HERE / release), "--region", AWAY]
    words += ["--tag", "steadfleet:family=shop", "--tag", f"steadfleet:version={version}"]
    command = Path(sys.executable).parent / "local-cloud"
    made = subprocess.run([command, *words], env=dict(env), stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip()


def connected(endpoint: Mapping[str, Any]) -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host=endpoint["Address"],
        port=endpoint["Port"],
        dbname="shop",
        user="shop",
        password=PASSWORD,
        autocommit=True,
    )


def write_ledgers(file: Path, endpoint: Mapping[str, Any], interval: str = "0.2s") -> None:
    """Tell the witness which ledger it keeps."""
    file.write_text(
        "ledgers:\n"
        f"  - name: orders\n    host: {endpoint['Address']}\n    port: {endpoint['Port']}\n"
        f"    database: shop\n    user: shop\n    password: {{parameter: {PARAMETER}}}\n"
        f"    interval: {interval}\n"
    )


def await_ledger(endpoint: Mapping[str, Any], rows: int) -> None:
    """Wait until so many writes were made."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with connected(endpoint) as connection:
            found = connection.execute("select to_regclass('steadfleet_ledger')").fetchone()
            if found and found[0]:
                counted = connection.execute("select count(*) from steadfleet_ledger").fetchone()
                if counted and counted[0] >= rows:
                    return
        time.sleep(0.2)
    raise TimeoutError(f"the ledger has fewer than {rows} writes")

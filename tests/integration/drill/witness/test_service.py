"""The witness as a process: refused before it touches anything, and keeping ledgers while it works."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from integration.drill.witness.postgres import PASSWORD, Server
from integration.drill.witness.site import VARIABLE, new_database
from integration.durable.process import Service, free_port
from temporalio.testing import WorkflowEnvironment

from steadfleet_activities.drill.witness.folder import WitnessFolder
from steadfleet_activities.drill.witness.journal import read_journal
from steadfleet_activities.drill.witness.spec import LedgerSpec, read_ledgers
from steadfleet_dr_drill.witness_main import NAME, adapter
from steadfleet_dr_drill.witness_settings import WitnessSettings
from steadfleet_durable import WorkerConfigError, register
from steadfleet_local_cloud.postgres import SUPERUSER

AWS = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
LEDGERS = """\
ledgers:
- name: orders
  host: 127.0.0.1
  port: {port}
  database: {database}
  user: {user}
  password: {{environment: {variable}}}
  interval: 0.1s
"""


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "STEADFLEET_WITNESS_FOLDER is not set: expected a folder on a disk that stays"),
        ({"STEADFLEET_RESOLVER": "dns.internal:53"}, "expected an IP address and a port"),
        ({"STEADFLEET_RESOLVER": "127.0.0.1"}, "expected an IP address and a port"),
        ({"STEADFLEET_LEDGERS": "missing.yaml"}, "expected a YAML file that lists ledgers"),
        ({"STEADFLEET_BUCKET": "No Bucket"}, "expected the name of an S3 bucket"),
    ],
)
def test_a_setting_that_cannot_be_right_is_told_by_its_name(env: Mapping[str, str], said: str) -> None:
    folder = {"STEADFLEET_WITNESS_FOLDER": "witness"} if env else {}

    with pytest.raises(WorkerConfigError, match=said):
        WitnessSettings.from_env({**folder, **env})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  retention: 30\n", "a duration needs a unit"),
        ("  table: orders; drop table orders\n", "a table's name in lower case"),
        ("  interval: 0.001s\n", "expected 0.1s to 1h"),
        ("  pasword: x\n", "password"),
    ],
)
def test_a_file_of_ledgers_is_read_strictly(tmp_path: Path, line: str, said: str) -> None:
    text = LEDGERS.format(port=5432, database="orders", user="witness", variable=VARIABLE)
    file = tmp_path / "ledgers.yaml"
    file.write_text(text.replace("  interval: 0.1s\n", line))

    with pytest.raises(WorkerConfigError, match=said):
        WitnessSettings.from_env({"STEADFLEET_WITNESS_FOLDER": "witness", "STEADFLEET_LEDGERS": str(file)})


def test_the_file_of_the_manual_is_read_and_shows_the_defaults(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[4] / "docs" / "running.md").read_text()
    file = tmp_path / "ledgers.yaml"
    file.write_text(re.findall(r"```yaml\n(ledgers:.*?)```", manual, re.DOTALL)[0])

    (spec,) = read_ledgers(file)

    needed = {"name", "host", "database", "user", "password"}
    assert spec == LedgerSpec.model_validate(spec.model_dump(include=needed))


def test_the_worker_offers_what_the_port_promises(tmp_path: Path) -> None:
    env = {**AWS, "STEADFLEET_WITNESS_FOLDER": str(tmp_path)}

    witness, _ = adapter(WitnessSettings.from_env(env), env)

    assert len(register(witness)) == 3
    witness.folder.release()


def test_a_folder_of_another_witness_is_refused(tmp_path: Path) -> None:
    env = {**AWS, "STEADFLEET_WITNESS_FOLDER": str(tmp_path)}
    other = WitnessFolder.taken(tmp_path)

    with pytest.raises(WorkerConfigError, match="is another witness's"):
        adapter(WitnessSettings.from_env(env), env)
    other.release()


async def test_the_process_works_on_its_queue_and_keeps_the_ledgers_of_its_file_until_it_is_told_to_leave(
    dev_server: WorkflowEnvironment, postgres: Server, tmp_path: Path
) -> None:
    database = new_database(postgres, "of_the_process")
    file, health = tmp_path / "ledgers.yaml", f"127.0.0.1:{free_port()}"
    file.write_text(LEDGERS.format(port=postgres.port, database=database, user=SUPERUSER, variable=VARIABLE))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from steadfleet_dr_drill.witness_main import main; main()",
        env={
            **os.environ,
            **AWS,
            VARIABLE: PASSWORD,
            "TEMPORAL_ADDRESS": dev_server.client.service_client.config.target_host,
            "STEADFLEET_HEALTH_ADDRESS": health,
            "STEADFLEET_WITNESS_FOLDER": str(tmp_path / "witness"),
            "STEADFLEET_LEDGERS": str(file),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    service = Service(process, health, "")

    try:
        assert (await service.until_ready(lambda answer: answer[0] == 200))[1] == "ready"
        async with asyncio.timeout(30):
            while len(list(read_journal(tmp_path / "witness" / "ledgers" / "orders"))) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            file.write_text(file.read_text().replace("name: orders", "name: begun-later"))
            while not list(read_journal(tmp_path / "witness" / "ledgers" / "begun-later")):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        service.terminate()
        code, logged = await service.left()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()

    assert code == 0, logged
    assert f'"task_queue": "{NAME}"' in logged
    assert "the ledger is kept" in logged
    assert PASSWORD not in logged

"""A whole recovery in another region: from a backup, from live data, and from a time between."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from integration.drill.aws.stage import HOME, PASSWORD, Stage
from temporalio.exceptions import ApplicationError

from steadfleet_core.drill.steps import StepKind

_CHECKS = [
    {"type": "http", "name": "answers", "service": "web", "path": "/healthz", "body": "1.0"},
    {"type": "tcp", "name": "listens", "service": "web"},
    {"type": "sql", "name": "count", "store": "orders", "query": "SELECT n = 1 FROM orders", "expected": "t"},
    {
        "type": "checksum",
        "name": "rows",
        "store": "orders",
        "query": "SELECT n, NULL, 'a' FROM orders ORDER BY n",
        "sha256": hashlib.sha256(b"1||a\n").hexdigest(),
    },
    {"type": "command", "name": "told", "service": "web", "run": 'grep -q "^DATABASE=127" "$USER_DATA_FILE"'},
    {"type": "sql", "name": "wrong", "store": "orders", "query": "SELECT 2", "expected": "1"},
    {"type": "sql", "name": "writes", "store": "orders", "query": "DELETE FROM orders", "expected": "1"},
    {"type": "command", "name": "fails", "service": "web", "run": "exit 3"},
    {"type": "http", "name": "lost", "service": "web", "path": "/nowhere"},
]


async def test_a_backup_is_recovered_with_its_services_and_found_by_name(stage: Stage) -> None:
    drill = await stage.prepare(stage.plan(validations=_CHECKS), "run-whole")
    assert not (await stage.inspect(drill)).blocking
    made = await stage.recover(drill)

    assert made["isolate"]["network"] == "default vpc"
    database, web = made["restore orders"], made["start web"]
    assert stage.sql(f"{database['host']}:{database['port']}", "SELECT n FROM orders") == [(1,)]
    assert web["host"] == "web.run-whole.drill.internal" == drill.service("web").address
    assert len(web["machines"].split(",")) == 2
    assert drill.production == (stage.source,)
    assert PASSWORD not in str(made) + drill.model_dump_json()

    stage.until_healthy(made["provision web"]["target_group"], 2)
    results = await stage.validate(drill, made)
    failed = {name for name, one in results.items() if not one.passed}
    assert failed == {"fails", "lost", "writes", "wrong"}, results
    assert all(one.proven for one in results.values())

    # A process of this machine reaches every address of it: no network of a local cloud is isolated.
    isolation = await stage.probe(drill, made)
    assert (isolation.probed, isolation.reached, isolation.problem) == ((stage.source,), (stage.source,), "")
    # And what does not reach even its own database proves nothing.
    broken = made | {"restore orders": {"host": "127.0.0.1", "port": "1"}}
    blind = await stage.probe(drill, broken)
    assert (blind.probed, blind.reached) == ((), ())
    assert "127.0.0.1:1, which it should" in blind.problem


@pytest.mark.slow
async def test_live_data_follows_the_source_until_it_is_promoted(stage: Stage) -> None:
    drill = await stage.prepare(stage.plan("pilot-light", services=[]), "run-live")
    made = await stage.recover(drill, {StepKind.ISOLATE, StepKind.REPLICATE})
    stage.sql(stage.source, "CREATE TABLE late AS SELECT 7 AS n")
    try:
        made = await stage.recover(drill, {StepKind.RESTORE}, made)
        restored = made["restore orders"]
        address = f"{restored['host']}:{restored['port']}"
        assert stage.sql(address, "SELECT n FROM late") == [(7,)]
        stage.sql(address, "INSERT INTO late VALUES (8)")
        assert stage.sql(stage.source, "SELECT n FROM late") == [(7,)]
    finally:
        stage.sql(stage.source, "DROP TABLE late")


@pytest.mark.slow
async def test_a_time_between_backups_is_restored_where_the_log_is(stage: Stage) -> None:
    stage.sql(stage.source, "CREATE TABLE moment AS SELECT 1 AS n")
    at = datetime.now(UTC)
    stage.sql(stage.source, "DROP TABLE moment")
    await stage.until_restorable(at)
    plan = stage.plan(recovery={"region": HOME}, recoveryPoint={"at": at.isoformat()}, services=[])

    drill = await stage.prepare(plan, "run-moment")
    made = await stage.recover(drill)

    restored = made["restore orders"]
    assert stage.sql(f"{restored['host']}:{restored['port']}", "SELECT n FROM moment") == [(1,)]


async def test_a_wrong_password_is_a_reason_and_not_a_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill = await stage.prepare(stage.plan(services=[]), "run-locked")
    made = await stage.recover(drill, {StepKind.ISOLATE})
    monkeypatch.setitem(stage.env, "ORDERS_PASSWORD", "another-password")
    with pytest.raises(ApplicationError, match="password authentication failed") as refused:
        await stage.recover(drill, {StepKind.RESTORE}, made)
    assert refused.value.non_retryable


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"environment": {"A": "${shop.host}"}}, "is not known"),
        ({"environment": {"A": "${orders.password}"}}, "is not known"),
        ({"environment": {"A": "${orders.host}"}, "dependsOn": []}, "add it to dependsOn"),
        ({"image": {"id": "ami-00000000"}}, "there is no image"),
        ({"type": "containers", "image": {"id": "web"}}, "no services of type containers"),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_is_made(
    stage: Stage, change: dict[str, Any], words: str
) -> None:
    service = stage.plan().spec.services[0].model_dump(mode="json", by_alias=True)
    if change.get("type"):
        del service["instanceType"]
    with pytest.raises(ApplicationError, match=words) as refused:
        await stage.prepare(stage.plan(services=[service | change]), "run-refused")
    assert refused.value.non_retryable

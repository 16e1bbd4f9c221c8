"""Services of a drill are containers: made once, found by address, and gone without residue."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from integration.drill.docker.conftest import Yard
from python_on_whales import DockerClient
from temporalio.exceptions import ApplicationError

from steadfleet_activities.drill.docker.joining import container_drivers
from steadfleet_core.errors import RefusedError

pytestmark = pytest.mark.docker


def get(address: str) -> str:
    with urlopen(f"http://{address}:8080/", timeout=5) as answer:
        return str(answer.read().decode())


async def test_containers_serve_at_the_addresses_that_were_told_and_a_retry_doubles_nothing(
    yard: Yard,
) -> None:
    drill = await yard.prepared(yard.plan(yard.web(count=2)))
    assert await yard.predicted(drill) == []
    assert "not proven" in drill.warnings[0]
    network = await yard.isolated(drill)
    facts = await yard.started(drill)

    addresses = facts["addresses"].split(",")
    assert [get(one).strip() for one in addresses] == ["served by web"] * 2
    assert facts["host"] == drill.services[0].address == addresses[0]
    seen = await yard.services.run_command(
        drill, facts, "nc web 8080 -e true && cat /srv/index.html | grep -q web", timedelta(seconds=20)
    )
    assert seen.passed, seen
    failed = await yard.services.run_command(drill, facts, "echo no; exit 3", timedelta(seconds=20))
    assert (failed.passed, failed.proven, failed.reason) == (False, True, "exit status 3: no")

    before = yard.things()
    assert (len(before["containers"]), len(before["networks"])) == (2, 1)
    assert await yard.isolated(drill) == network
    yard.engine.container.inspect(facts["machines"].split(",")[1]).kill()
    assert await yard.started(drill) == facts
    assert yard.things() == before
    assert get(addresses[1]).strip() == "served by web"

    swept = yard.sweep()
    assert (len(swept.removed), swept.left, yard.things()) == (3, (), {"containers": [], "networks": []})


async def test_a_command_in_a_container_that_is_gone_proves_nothing(yard: Yard) -> None:
    drill = await yard.prepared(yard.plan(yard.web()))
    made = {"machines": "nobody", "host": "10.199.0.2"}
    seen = await yard.services.run_command(drill, made, "true", timedelta(seconds=20))
    assert (seen.passed, seen.proven) == (False, False)


async def test_a_container_that_ends_at_once_is_told_with_its_own_words(
    yard: Yard, engine: DockerClient
) -> None:
    made = engine.container.create(yard.image, ["/bin/sh", "-c", "echo no database; exit 7"])
    broken = engine.container.commit(made)
    try:
        made.remove()
        drill = await yard.prepared(yard.plan(yard.web(image={"id": broken.id})))
        await yard.isolated(drill)
        with pytest.raises(ApplicationError, match=r"exit status 7.*no database") as ended:
            await yard.started(drill)
        assert ended.value.non_retryable
    finally:
        yard.sweep()
        broken.remove(force=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": {"family": "web", "version": "1.0.0"}}, "not started by family yet"),
        ({"image": {"id": "nobody/has:this"}}, "has no image nobody/has:this: pull it"),
        ({"dependsOn": ["orders"]}, "web asks orders.*reach nothing of AWS"),
        ({"count": 250}, "room for 249 containers"),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_is_made(
    yard: Yard, change: dict[str, Any], words: str
) -> None:
    rds = {
        "name": "orders",
        "type": "rds",
        "id": "orders",
        "database": "orders",
        "user": "app",
        "password": {"environment": "P"},
    }
    plan = yard.plan(yard.web(), stores=(rds,)).model_dump(mode="json", by_alias=True)
    plan["spec"]["services"][0] |= change
    plan["spec"]["limits"] = {"hosts": 300}
    with pytest.raises(RefusedError, match=words):
        await yard.prepared(type(yard.plan(yard.web())).model_validate(plan))


async def test_what_has_our_names_or_addresses_is_seen_before_and_left_alone(yard: Yard) -> None:
    drill = await yard.prepared(yard.plan(yard.web()))
    subnet = drill.services[0].facts["container_subnet"]
    other = Yard(yard.engine, yard.image)
    theirs = yard.engine.network.create(other.run, subnet=subnet, labels={"steadfleet:run": other.run})
    try:
        assert any("was taken by another network" in said for said in await yard.predicted(drill))
        with pytest.raises(RefusedError, match="start it again"):
            await yard.isolated(drill)
        assert yard.things()["networks"] == []
        assert (await yard.prepared(drill.plan)).services[0].facts["container_subnet"] != subnet
    finally:
        theirs.remove()


async def test_a_container_of_another_address_or_environment_is_not_taken_for_ours(yard: Yard) -> None:
    # In the engine both are called `we-b`.
    drill = await yard.prepared(yard.plan(yard.web(name="we-b"), yard.web(name="we.b")))
    first, second = drill.plan.spec.services
    await yard.isolated(drill)
    await yard.started(drill, first)
    before = yard.things()
    for other in (second, first.model_copy(update={"environment": {"WHO": "another"}})):
        with pytest.raises(RefusedError, match="another address or environment"):
            await yard.started(drill, other)
    assert yard.things() == before


async def test_an_engine_that_does_not_answer_is_predicted(yard: Yard, tmp_path: Path) -> None:
    drill = await yard.prepared(yard.plan(yard.web()))
    silent = Yard(DockerClient(host=f"unix://{tmp_path}/no.sock"), yard.image, run=yard.run)
    said = await silent.predicted(drill)
    assert len([one for one in said if "does not answer" in one]) == 2, said


def test_without_a_docker_there_are_no_drivers(tmp_path: Path) -> None:
    assert container_drivers({"PATH": str(tmp_path)}) == ({}, {})


def test_without_an_engine_there_are_no_drivers(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    assert container_drivers(env) == ({}, {})

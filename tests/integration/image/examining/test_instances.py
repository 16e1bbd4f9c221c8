"""Images tried on instances: exactly one machine, whatever is lost on the way, and none left."""

import asyncio
from typing import Any

import pytest
from integration.image.examining.bench import HTTP, Bench

from steadfleet_activities.image.store import Kept
from steadfleet_core.image.report import TestVerdict

WEB: dict[str, Any] = {"type": "http", "port": HTTP, "path": "/hello.txt", "body": "welcome"}
SHELL: dict[str, Any] = {"type": "command", "run": "echo it runs", "stdout": "^it runs$"}


def verdicts(report: Any) -> list[str]:
    return [result.verdict.value for result in report.results]


async def test_an_image_is_tried_on_a_machine_of_its_own_which_is_gone_afterwards(bench: Bench) -> None:
    suite = "import os\n\ndef test_it(host):\n    assert host.run('echo hi').stdout == 'hi\\n'\n"
    order = bench.order(
        WEB,
        SHELL,
        {"type": "file", "path": "/etc/passwd", "mode": "0644"},
        {"type": "testinfra", "file": "tests/test_it.py"},
        files={"tests__test_it_py": suite},
    )

    report = await bench.examining.examine(order, bench.said.append)

    assert verdicts(report) == ["passed"] * 5, report.results
    assert report.results[0].name == "the machine boots"
    assert report.machine.startswith("i-")
    assert "check 1 of 4: check 0" in bench.said
    assert bench.store.get(Kept.TESTS, report.tests)
    assert bench.nothing_is_left()


async def test_everything_is_tagged_in_the_call_that_makes_it(bench: Bench) -> None:
    await bench.examining.examine(bench.order(SHELL))

    ec2 = bench.regions.at_home.ec2
    (held,) = ec2.describe_instances(Filters=[{"Name": "tag:steadfleet:purpose", "Values": ["examine"]}])[
        "Reservations"
    ]
    found = {tag["Key"]: tag["Value"] for tag in held["Instances"][0]["Tags"]}
    assert found["steadfleet:run"] == "image-web-1.4.2-a1"
    assert found["steadfleet:expires-at"] == "2026-11-21T20:00:00+00:00"
    assert bench.calls("CreateTags") == 0


@pytest.mark.parametrize("action", ["RunInstances", "CreateSecurityGroup", "ImportKeyPair"])
async def test_a_lost_answer_makes_nothing_twice(bench: Bench, action: str) -> None:
    bench.cloud.add_fault("lost", action=action, count=1)

    report = await bench.examining.examine(bench.order(SHELL))

    assert verdicts(report) == ["passed", "passed"]
    assert bench.calls(action) == 1
    assert bench.nothing_is_left()


async def test_what_an_earlier_try_left_is_removed_first(bench: Bench) -> None:
    order = bench.order(SHELL)
    left = bench.machines.booted(order, bench.said.append)
    earlier = await left.__aenter__()  # a worker that died here

    report = await bench.examining.examine(order)

    assert verdicts(report) == ["passed", "passed"]
    assert report.machine != earlier.id
    assert bench.nothing_is_left()
    await left.__aexit__(None, None, None)


async def test_a_cancelled_try_takes_its_machine_down(bench: Bench) -> None:
    begun = asyncio.Event()

    def say(step: str) -> None:
        if step.startswith("check 1"):
            begun.set()

    order = bench.order({"type": "command", "run": "sleep 600", "timeLimit": "20m"})
    trying = asyncio.create_task(bench.examining.examine(order, say))
    await begun.wait()

    trying.cancel()
    await asyncio.sleep(0)
    trying.cancel()

    with pytest.raises(asyncio.CancelledError):
        await trying
    assert bench.nothing_is_left()


async def test_a_machine_that_lets_nobody_in_is_a_finding_and_is_gone(bench: Bench) -> None:
    bench.cloud.add_fault("failed-boot", count=1)

    report = await bench.examining.examine(bench.order(WEB, SHELL, bootTimeLimit="1s", sbom=True))

    assert verdicts(report) == ["failed", "error", "error"]
    assert "did not let root in by SSH" in report.results[0].reason
    assert report.sbom is None
    assert bench.nothing_is_left()


async def test_a_failed_check_is_a_result(bench: Bench) -> None:
    report = await bench.examining.examine(
        bench.order({**SHELL, "run": "exit 4"}, {**WEB, "path": "/no", "timeLimit": "1s"})
    )

    assert verdicts(report) == ["passed", "failed", "failed"]
    assert report.results[1].reason == "ended with 4, expected 0"
    assert report.results[2].reason.endswith("within 1s: it answered 404, expected 200")
    assert all(result.verdict is not TestVerdict.PASSED for result in report.failures)


async def test_discarding_finds_everything_by_tags_and_names_and_may_find_nothing(bench: Bench) -> None:
    order = bench.order(SHELL)
    await bench.examining.discard(order)
    left = bench.machines.booted(order, bench.said.append)
    await left.__aenter__()
    assert not bench.nothing_is_left()

    await bench.examining.discard(order)
    await bench.examining.discard(order)

    assert bench.nothing_is_left()
    await left.__aexit__(None, None, None)

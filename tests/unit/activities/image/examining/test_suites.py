"""Files of testinfra tests: every case has its line, and they get nothing of the worker's."""

from pathlib import Path
from typing import Any

import pytest
from unit.activities.image.examining.workbench import FakeMachine

from steadfleet_activities.image.examining.checks import try_all
from steadfleet_activities.image.examining.findings import Stored
from steadfleet_core.image.golden import TestSpec


async def tried(folder: Path, text: str, **other: Any) -> Stored:
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text(text)
    check = {"type": "testinfra", "name": "suite", "file": "tests/test_it.py", **other}
    (stored,) = await try_all(
        FakeMachine(), TestSpec.model_validate({"checks": [check]}), folder, lambda _step: None
    )
    return stored


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


async def test_tests_that_pass_pass_and_each_has_its_line(tmp_path: Path) -> None:
    stored = await tried(
        tmp_path,
        "def test_one(host):\n    assert host.run('echo hi').stdout == 'hi\\n'\n\n"
        "def test_two():\n    pass\n",
    )

    assert (stored.result.verdict.value, stored.result.reason) == ("passed", "")
    assert [case.name for case in stored.found.cases] == [
        "tests.test_it.test_one[local]",
        "tests.test_it.test_two",
    ]


async def test_a_failure_names_its_test_and_why(tmp_path: Path) -> None:
    stored = await tried(
        tmp_path, "def test_one():\n    assert 1 == 2, 'no nginx'\n\ndef test_two():\n    pass\n"
    )

    assert stored.result.verdict.value == "failed"
    assert stored.result.reason.splitlines()[0] == "1 of 2 failed"
    assert stored.result.reason.splitlines()[1].startswith("tests.test_it.test_one: AssertionError: no nginx")
    assert "assert 1 == 2" in stored.found.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def nothing():\n    pass\n", "pytest found no tests in it"),
        ("import nothing_of_that_name\n", "1 of 1 could not be carried out"),
        ("import os\n\ndef test_it():\n    os._exit(0)\n", "no report that can be read"),
        (
            "from pytest import fixture\n\n@fixture\ndef x():\n    raise OSError\n\ndef test_it(x): pass\n",
            "1 of 1 could not be carried out",
        ),
        ("import pytest\n\ndef test_it():\n    pytest.skip('later')\n", "all of 1 tests were skipped"),
    ],
)
async def test_what_could_not_be_carried_out_is_an_error(text: str, said: str, tmp_path: Path) -> None:
    stored = await tried(tmp_path, text)

    assert stored.result.verdict.value == "error", stored
    assert said in stored.result.reason


async def test_one_skipped_of_several_does_not_fail(tmp_path: Path) -> None:
    stored = await tried(
        tmp_path,
        "import pytest\n\ndef test_one():\n    pytest.skip('later')\n\ndef test_two():\n    pass\n",
    )

    assert stored.result.verdict.value == "passed"
    assert [case.verdict for case in stored.found.cases] == [None, "passed"]


async def test_tests_get_none_of_the_workers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("TEMPORAL_API_KEY", "secret")

    stored = await tried(
        tmp_path,
        "import os, tempfile\n\ndef test_it():\n    assert 'secret' not in os.environ.values()\n"
        "    assert os.environ['HOME'] != '/root'\n"
        "    assert tempfile.gettempdir() == os.environ['TMPDIR']\n",
    )

    assert stored.result.verdict.value == "passed", stored


async def test_the_sources_are_not_written_to(tmp_path: Path) -> None:
    stored = await tried(tmp_path, "def test_it():\n    open('left', 'w').close()\n")

    assert stored.result.verdict.value == "passed", stored
    assert names_in(tmp_path) == ["test_it.py", "tests"]


async def test_tests_end_at_their_limit_with_all_that_they_started(tmp_path: Path) -> None:
    stored = await tried(
        tmp_path,
        "import subprocess\n\ndef test_it():\n    subprocess.run(['sleep', '600'])\n",
        timeLimit="3s",
    )

    assert (stored.result.verdict.value, stored.result.reason) == ("failed", "did not end within 3s")

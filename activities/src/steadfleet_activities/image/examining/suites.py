"""
Run a file of pytest-testinfra tests against the machine, in a process of its own.

The file is code of whoever ordered the image. It gets none of the worker's environment, so no
credentials by name, and a home of its own; but it runs as the worker's user, as packer's own
templates do. So the worker that builds images holds nothing that an orderer may not have: the
signer, and what deletes, are other workers.
"""

import os
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from steadfleet_activities.image.examining.findings import Case, Found, error, failed, last_line, passed
from steadfleet_activities.image.examining.machine import Machine, Ran
from steadfleet_activities.image.examining.processes import run_process
from steadfleet_activities.image.scratch import scratch_of
from steadfleet_core.image.golden import TestinfraTest
from steadfleet_core.image.report import TestVerdict
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken

_MOST_REPORT = 5_000_000
_MOST_CASES = 1000
_MOST_NAMED = 10
_REASONS = {2: "was interrupted", 3: "broke", 4: "was called wrongly", 5: "found no tests in it"}
"""Of pytest, by its exit status."""


async def try_suite(check: TestinfraTest, machine: Machine, limit: timedelta, sources: Path) -> Found:
    async with scratch_of("tests") as scratch:
        argv, env, report = await unbroken(_prepared, check, machine, sources, scratch)
        ran = await run_process(argv, limit, env=env, cwd=scratch / "sources")
        if ran.exit_status is None:
            return failed(f"did not end within {format_duration(limit)}", ran, overdue=True)
        return await unbroken(_judge, check, ran, report)


def _prepared(
    check: TestinfraTest, machine: Machine, sources: Path, scratch: Path
) -> tuple[list[str], dict[str, str], Path]:
    """Lay out a folder for the tests: a copy of the sources, since they may write; a home; and the way in."""
    shutil.copytree(sources, scratch / "sources")
    own = scratch / "sources" / "pytest.ini"
    if not own.exists():
        own.touch()  # or pytest would look for one above, outside of the folder
    for name in ("home", "tmp", "way"):
        (scratch / name).mkdir(mode=0o700)
    host, report = machine.test_host(scratch / "way"), scratch / "report.xml"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "testinfra.plugin", "-p", "no:cacheprovider"]
    argv += [f"--rootdir={scratch / 'sources'}", "-c", str(own), f"--junitxml={report}", *host.options]
    return [*argv, f"./{check.file}"], _environment(scratch, host.environment), report


def _environment(scratch: Path, given: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Whatever else this worker has installed decides nothing about the image.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        **given,
    }


def _judge(check: TestinfraTest, ran: Ran, report: Path) -> Found:
    try:
        cases = tuple(_cases(report))
    except (OSError, ET.ParseError, ValueError) as problem:
        said = last_line(ran.stderr) or last_line(ran.stdout) or str(problem)
        return error(f"pytest ended with {ran.exit_status} and no report that can be read: {said}", ran)
    return _verdict(check, ran, cases).model_copy(update={"cases": cases})


def _verdict(check: TestinfraTest, ran: Ran, cases: tuple[Case, ...]) -> Found:
    failures = [case for case in cases if case.verdict is TestVerdict.FAILED]
    errors = [case for case in cases if case.verdict is TestVerdict.ERROR]
    if failures:
        return failed(_listed(f"{len(failures)} of {len(cases)} failed", [*failures, *errors]), ran)
    if errors:
        return error(_listed(f"{len(errors)} of {len(cases)} could not be carried out", errors), ran)
    if ran.exit_status:
        why = _REASONS.get(ran.exit_status, "did not end well")
        said = last_line(ran.stderr) or last_line(ran.stdout)
        return error(f"{check.file}: pytest {why} (exit status {ran.exit_status}): {said}", ran)
    if all(case.verdict is None for case in cases):
        return error(f"{check.file}: all of {len(cases)} tests were skipped, so nothing was tried", ran)
    return passed(ran)


def _listed(head: str, cases: list[Case]) -> str:
    lines = [f"{case.name}: {case.reason}" for case in cases[:_MOST_NAMED]]
    more = [f"and {len(cases) - _MOST_NAMED} more"] if len(cases) > _MOST_NAMED else []
    return "\n".join([head, *lines, *more])


def _cases(report: Path) -> Iterator[Case]:
    if report.stat().st_size > _MOST_REPORT:
        raise ValueError(f"the report has more than {_MOST_REPORT} bytes")
    # Entities that grow are refused by expat itself; others than pytest's own would be the tests' doing.
    for number, case in enumerate(ET.fromstring(report.read_bytes()).iter("testcase")):  # noqa: S314
        if number == _MOST_CASES:
            raise ValueError(f"there are more than {_MOST_CASES} tests")
        yield _case(case)


def _case(case: ET.Element) -> Case:
    name = ".".join(filter(None, [case.get("classname"), case.get("name")]))
    verdict: TestVerdict | None = TestVerdict.PASSED
    reason = ""
    for tag, worse in (("skipped", None), ("error", TestVerdict.ERROR), ("failure", TestVerdict.FAILED)):
        found = case.find(tag)
        if found is not None:
            verdict = worse
            reason = (found.get("message") or found.text or "").strip().partition("\n")[0]
    return Case(name=name, verdict=verdict, reason=reason, seconds=float(case.get("time") or 0))

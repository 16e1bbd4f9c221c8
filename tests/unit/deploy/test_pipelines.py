"""The pipelines keep rules of their own: pinned actions, no stored keys, least permissions, limits."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
PIPELINES = sorted((REPOSITORY / "deploy" / "pipelines").glob("*.yml"))
SECRETS = {"STEADFLEET_PREVIEW_CONFIG"}
"""What may be stored with the code host: where previews go. Production's keys stay in the cloud's store."""
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
READING: tuple[dict[str, str], ...] = ({}, {"contents": "read"})


def problems(text: str) -> Iterator[str]:
    """Say which rules a pipeline breaks."""
    pipeline: dict[Any, Any] = yaml.safe_load(text)
    for line in text.splitlines():
        if "uses:" in line and not PINNED.search(line):
            yield f"not pinned by commit, with its version beside: {line.strip()}"
    for secret in set(re.findall(r"secrets\.(\w+)", text)) - SECRETS:
        yield f"a stored secret: {secret}"
    if "pull_request_target" in pipeline[True]:  # YAML 1.1 reads `on` so
        yield "a change's code would run with the rights of the branch that it wants to change"
    if pipeline.get("permissions") not in READING:
        yield "more than reading is allowed to every job"
    if "concurrency" not in pipeline:
        yield "two runs could be in each other's way"
    for name, job in pipeline["jobs"].items():
        yield from (f"job {name}: {problem}" for problem in job_problems(job))


def job_problems(job: dict[str, Any]) -> Iterator[str]:
    if "timeout-minutes" not in job:
        yield "no time limit"
    permissions = job.get("permissions", {})
    if permissions.get("id-token") and "environment" not in job:
        yield "the cloud would take it for any other job of this repository"
    if set(permissions) - {"contents", "id-token"} or permissions.get("contents", "read") != "read":
        yield "more permissions than it needs"
    if "self-hosted" in job["runs-on"] and not kept_from_forks(job.get("if", "")):
        yield "a fork's code would run on a machine that stays"
    for step in job["steps"]:
        yield from step_problems(step)


def step_problems(step: dict[str, Any]) -> Iterator[str]:
    script = step.get("run", "")
    if "${{" in script:
        yield "an expression in a script: whoever names a branch could write into it"
    if subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).returncode:
        yield "a script that no shell can read"
    if "actions/checkout@" in step.get("uses", "") and step["with"].get("persist-credentials") is not False:
        yield "the token stays in the checkout"


def kept_from_forks(condition: str) -> bool:
    return (
        "head.repo.full_name == github.repository" in condition
        or condition == "github.event_name == 'schedule'"
    )


@pytest.mark.parametrize("file", PIPELINES, ids=lambda file: file.stem)
def test_a_pipeline_keeps_the_rules(file: Path) -> None:
    assert list(problems(file.read_text())) == []


@pytest.mark.parametrize(
    ("name", "before", "after", "problem"),
    [
        ("change", "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "v7", "not pinned"),
        ("change", " # v7.0.1", "", "not pinned"),
        ("change", "timeout-minutes: 60", "name: forever", "no time limit"),
        ("change", "persist-credentials: false", "fetch-depth: 1", "the token stays"),
        ("change", "make check", "echo ${{ github.head_ref }}", "an expression in a script"),
        ("change", "make check", "if true", "no shell can read"),
        ("change", "pull_request:", "pull_request_target:", "rights of the branch"),
        ("change", "permissions:\n  contents: read", "permissions: write-all", "more than reading"),
        ("change", "concurrency:", "x-concurrency:", "in each other's way"),
        ("preview", "head.repo.full_name", "base.repo.full_name", "a fork's code"),
        ("production", "vars.ROLLOUT_ROLE", "secrets.AWS_SECRET_ACCESS_KEY", "a stored secret"),
        ("production", "environment: production", "name: anyone", "any other job"),
        ("production", "      contents: read", "      contents: write", "more permissions"),
    ],
)
def test_a_broken_rule_is_found(name: str, before: str, after: str, problem: str) -> None:
    text = (REPOSITORY / "deploy" / "pipelines" / f"{name}.yml").read_text()
    assert before in text

    assert any(problem in found for found in problems(text.replace(before, after)))


def test_production_is_for_what_was_merged_and_for_an_environment_that_can_be_guarded() -> None:
    pipeline = yaml.safe_load((REPOSITORY / "deploy" / "pipelines" / "production.yml").read_text())

    assert pipeline[True] == {"push": {"branches": ["main"]}}
    assert pipeline["jobs"]["rollout"]["environment"] == "production"
    assert pipeline["concurrency"]["cancel-in-progress"] is False


def test_no_preview_pipeline_knows_production() -> None:
    text = (REPOSITORY / "deploy" / "pipelines" / "preview.yml").read_text()

    assert "TEMPORAL_" not in text
    assert "STEADFLEET_PREVIEW_ON_PRODUCTION" not in text

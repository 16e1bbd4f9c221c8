"""The pipeline files, held against actionlint: contexts, inputs of actions, triggers, expressions."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[[str], Path]
PIPELINES = Path(__file__).resolve().parents[2] / "deploy" / "pipelines"

pytestmark = pytest.mark.terraform


def lint(program: Program, *files: Path) -> subprocess.CompletedProcess[str]:
    config = str(PIPELINES / "actionlint.yaml")
    return subprocess.run(
        [str(program("actionlint")), "-no-color", "-config-file", config, *map(str, files)],
        cwd=PIPELINES,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_pipelines_are_clean(program: Program) -> None:
    files = sorted(PIPELINES.glob("*.yml"))
    assert len(files) == 3

    ran = lint(program, *files)

    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        (("change", "runs-on: ubuntu-24.04", "runs-on: [self-hosted, preview]"), "runner-label"),
        (("change", "timeout-minutes: 60", "timeout: 60"), "unexpected key"),
        (("preview", "github.event_name", "github.event_nam"), "expression"),
        (("preview", "types: [opened,", "types: [open,"), "invalid activity type"),
        (("preview", "17 * * * *", "61 * * * *"), "invalid CRON"),
        (("production", "needs: images", "needs: image"), "job-needs"),
        (("production", "id-token: write", "id-tokens: write"), "permissions"),
    ],
)
def test_a_planted_mistake_is_refused(
    program: Program, tmp_path: Path, mistake: tuple[str, str, str], problem: str
) -> None:
    name, before, after = mistake
    text = (PIPELINES / f"{name}.yml").read_text()
    assert before in text
    wrong = tmp_path / f"{name}.yml"
    wrong.write_text(text.replace(before, after))

    ran = lint(program, wrong)

    assert ran.returncode == 1
    assert problem in ran.stdout

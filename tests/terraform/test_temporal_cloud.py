"""The Terraform files for Temporal Cloud, held against the provider's own schema; nothing is applied."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "temporal-cloud"
Tofu = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.terraform


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return shutil.copytree(FOLDER, tmp_path / "temporal-cloud", ignore=shutil.ignore_patterns(".terraform*"))


@pytest.fixture
def tofu(program: Callable[[str], Path], files: Path, tmp_path: Path) -> Tofu:
    """Give OpenTofu with the provider that was built, and without a way to any registry or account."""
    settings = tmp_path / "tofurc"
    settings.write_text(
        "provider_installation {\n"
        f'  dev_overrides {{ "temporalio/temporalcloud" = "{program("provider").parent}" }}\n'
        "}\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "TEMPORAL_"))}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program("tofu")), *words, "-no-color"],
            cwd=files,
            env=env | {"TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_provider_accepts_the_files(tofu: Tofu) -> None:
    ran = tofu("validate")

    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_files_are_formatted(tofu: Tofu) -> None:
    ran = tofu("fmt", "-check", "-recursive", "-diff")

    assert (ran.returncode, ran.stdout) == (0, "")


def test_what_is_planned_and_refused_is_what_the_plan_tests_say(tofu: Tofu) -> None:
    ran = tofu("test")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 failed" in ran.stdout


def spoil(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("mistake", "refusal"),
    [
        (("namespace.tf", "retention_days = var", "retention_dayz = var"), "Unsupported argument"),
        (("namespace.tf", "regions        = var.regions", ""), "Missing required argument"),
        (("namespace.tf", "= var.retention_days", '= ["a month"]'), "Inappropriate value"),
        (("accounts.tf", "owner_id ", "owner "), "Unsupported argument"),
    ],
)
def test_a_planted_mistake_is_refused(
    tofu: Tofu, files: Path, mistake: tuple[str, str, str], refusal: str
) -> None:
    name, before, after = mistake
    spoil(files / name, before, after)

    ran = tofu("validate")

    assert ran.returncode == 1
    assert refusal in ran.stderr


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("namespace.tf", 'var.environment != "prod" || var.delete_protection', "true"),
        ("namespace.tf", "api_key_auth       = !local.mtls", "api_key_auth       = true"),
        ("namespace.tf", '    SfPlan    = "keyword"\n', ""),
        ("accounts.tf", '"read", does', '"write", does'),
        ("accounts.tf", '"write", does = "Polls', '"poll", does = "Polls'),
        ("accounts.tf", "var.longest_key_days * 24", "9999999"),
        ("outputs.tf", "  sensitive   = true\n", ""),
    ],
)
def test_a_weakened_protection_fails_the_plan_tests(
    tofu: Tofu, files: Path, name: str, before: str, after: str
) -> None:
    spoil(files / name, before, after)

    assert tofu("test").returncode == 1

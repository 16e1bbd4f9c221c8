"""No other service has what signs, or reads where the key is."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OTHERS = ("patch_campaign", "image_build", "janitor")
LOADED = "import sys, steadfleet_{}.main; print(*(m for m in sys.modules if 'signing.signers' in m))"
VARIABLES = "STEADFLEET_SIGNING_"
# `steadfleet up` writes the variable for the signer that it starts, and reads it itself nowhere.
WRITES_IT = ROOT / "services" / "cli" / "src" / "steadfleet_cli" / "trust.py"


@pytest.mark.parametrize("service", OTHERS)
def test_no_other_service_loads_what_signs(service: str) -> None:
    code = LOADED.format(service)
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )

    assert loaded.stdout.strip() == ""


def test_the_signer_does_load_it() -> None:
    code = LOADED.format("signer")
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )

    assert "steadfleet_signing.signers" in loaded.stdout.split()


def test_only_the_signer_knows_the_variables_of_the_key() -> None:
    sources = [
        path
        for place in ("libs", "activities", "workflows", "services")
        for path in (ROOT / place).rglob("*.py")
    ]
    knowing = {path for path in sources if VARIABLES in path.read_text(encoding="utf-8")}

    assert any(path.is_relative_to(ROOT / "services" / "signer") for path in knowing)
    assert {path for path in knowing if not path.is_relative_to(ROOT / "services" / "signer")} <= {WRITES_IT}


@pytest.mark.parametrize(
    "project", sorted(ROOT.glob("*/*/pyproject.toml")), ids=lambda path: path.parent.name
)
def test_nothing_depends_on_the_signer(project: Path) -> None:
    dependencies = tomllib.loads(project.read_text())["project"].get("dependencies", [])

    assert not [one for one in dependencies if one.startswith("steadfleet-signer")]

"""The Terraform files name what the code has."""

from pathlib import Path
from typing import Any

import hcl2
import pytest
from hcl2.utils import SerializationOptions

from steadfleet_cli.parts import search_attributes
from steadfleet_signing.trust import Environment

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "temporal-cloud"


def read(name: str) -> Any:
    text = (FOLDER / name).read_text()
    return hcl2.loads(text, serialization_options=SerializationOptions(strip_string_quotes=True))


def test_the_search_attributes_are_those_that_workflows_set() -> None:
    (block,) = read("namespace.tf")["locals"]
    named = {name: kind for name, kind in block["search_attributes"].items() if not name.startswith("__")}

    assert named == {name: kind.lower() for name, kind in search_attributes().items()}


def test_the_environments_are_those_of_the_rules_for_images() -> None:
    (block,) = [one["environment"] for one in read("variables.tf")["variable"] if "environment" in one]
    condition = str(block["validation"][0]["condition"])

    assert all(f'"{environment}"' in condition for environment in Environment)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.tfvars")), ids=lambda file: file.stem)
def test_an_example_is_named_after_its_environment_and_says_what_is_asked(file: Path) -> None:
    said = {name for name in read(file.name) if not name.startswith("__")}
    asked = {name.strip('"') for one in read("variables.tf")["variable"] for name in one}

    assert read(file.name)["environment"] == file.stem
    assert said <= asked


def test_no_file_holds_a_key() -> None:
    for file in FOLDER.rglob("*"):
        if file.is_file():
            assert "PRIVATE KEY-----\nM" not in file.read_text()
            assert "api_key  " not in file.read_text()

"""The page, schema and example of drills say what the code does."""

import json
import re
import subprocess
import sys
from collections import defaultdict

import jsonschema
import pytest
import yaml
from unit.core.contract_page import ROOT, Page, fields_of

from steadfleet_core.contract import read_contract, schema_of
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_core.errors import ContractError

PAGE = Page("docs/drill-contract.md")
TEXT = (ROOT / PAGE.path).read_text()
SCHEMA = ROOT / "docs/schema/DrillPlan.json"
EXAMPLE, PROBLEMS = re.findall(r"```\w*\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_lists_every_field_with_its_default() -> None:
    documented = {field: default.replace("`", "") for field, default, _ in PAGE.table_after("## Fields")}
    written: dict[str, list[str]] = defaultdict(list)
    for path, required, default in fields_of(DrillPlan):
        shown = "required" if required else default if isinstance(default, str) else json.dumps(default)
        written[path].append(shown)

    assert documented == {path: " or ".join(dict.fromkeys(shown)) for path, shown in written.items()}


def test_the_stored_schema_is_what_the_command_prints() -> None:
    command = [sys.executable, "-m", "steadfleet_core.contract", "DrillPlan"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert SCHEMA.read_text() == printed, "stale: run python -m steadfleet_core.contract DrillPlan"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(DrillPlan))


def test_the_example_of_the_page_is_read_and_satisfies_the_schema() -> None:
    plan = read_contract(EXAMPLE, "shop.yaml", DrillPlan)

    assert plan.name == "shop"
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validate(json.loads(plan.model_dump_json(by_alias=True)), schema)


def test_the_problems_of_the_page_are_what_is_said() -> None:
    wrong = (
        EXAMPLE.replace("  objectives: {rto: 2h, rpo: 15m}", "  rto: 2h\n  objectives: {rto: 2h, rpo: 15m}")
        .replace("  recoveryPoint: {randomWithin: 7d} # proves more than last night's backup\n", "")
        .replace("type: rds", "type: mysql")
        .replace("{family: web, channel: prod}", "{family: web}")
    )

    with pytest.raises(ContractError) as caught:
        read_contract(wrong, "shop.yaml", DrillPlan)

    assert PROBLEMS.strip().splitlines() == caught.value.problems


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("strategy", "active-active"),
        ("objectives", {"rto": "soon", "rpo": "1m"}),
        ("isolation", "off"),
        ("schedule", {"cron": "@daily"}),
        ("stores", [{"name": "orders", "type": "mysql"}]),
        ("probing", {"successes": 0}),
        ("failback", {}),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(field: str, value: object) -> None:
    document = yaml.safe_load(EXAMPLE)
    document["spec"]["schedule"].pop("blockedDates")  # YAML's own dates are no JSON
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    document["spec"][field] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    with pytest.raises(ContractError):
        read_contract(yaml.safe_dump(document), "shop.yaml", DrillPlan)

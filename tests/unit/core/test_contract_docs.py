"""The contract's page, schema and examples say what the code does."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from unit.core.contract_page import ROOT, Page, expanded, fields_of, parents

from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.contract import read_contract, schema_of

PAGE = Page("docs/contract.md")
SCHEMA = ROOT / "docs/schema/PatchPolicy.json"
EXAMPLES = sorted((ROOT / "examples/policies").glob("*.yaml"))

PATCH_FIELDS = """
apiVersion kind metadata.{name,namespace,labels,annotations}
spec.selector.{platforms,environments,regions,imageFamilies,tags,excludeTags,excludeAssets}
spec.source.{type,goldenImage.family,goldenImage.version,goldenImage.minVersion}
spec.source.{repository.url,repository.credentials,severity,classifications}
spec.strategy.type spec.strategy.rolling.{maxUnavailable,maxSurge,pauseBetweenBatches}
spec.strategy.canary.{initialPercentage,autoPromote}
spec.strategy.canary.steps[].{percentage,pauseDuration,analysis}
spec.strategy.blueGreen.{previewDuration,autoPromote} spec.strategy.maintenanceWindow.timezone
spec.strategy.maintenanceWindow.windows[].{dayOfWeek,startTime,duration}
spec.hooks.{preRollout,prePatch,postPatch,postRollout,onFailure}
hookConfig.{name,type,target,timeout,failPolicy,args}
spec.healthCheck.{enabled,initialDelay,interval,timeout,successThreshold,failureThreshold}
spec.healthCheck.checks[].{type,target,expectedStatus}
spec.rollback.{enabled,automatic,onFailurePercentage,strategy,retainFailedAssets}
spec.approval.{required,minApprovers,allowedApprovers,autoApproveFor,timeout}
spec.notifications.{channels[].type,channels[].target,channels[].events}
spec.notifications.{onStart,onComplete,onFailure,progressInterval}
spec.schedule.{type,cron,driftThreshold,cveSeverity}
spec.compliance.{patchWithin.critical,patchWithin.high,patchWithin.medium,patchWithin.low}
spec.compliance.{reportTo,requireEvidence}
analysisConfig.{metrics[].name,metrics[].threshold,metrics[].comparison,metrics[].query,duration,provider}
"""
"""Every field of the PatchPolicy of the project that we are measured against, from its contract."""

FIELDS = {path: (required, default) for path, required, default in fields_of(PatchPolicy)}


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_the_page_lists_every_field_with_its_default() -> None:
    documented = {field: default.strip("`") for field, default, _ in PAGE.table_after("## Fields")}
    written = {
        path: "required" if required else default if isinstance(default, str) else json.dumps(default)
        for path, (required, default) in FIELDS.items()
    }

    assert documented == written


def test_no_field_of_the_other_contract_is_missing_or_invented() -> None:
    theirs = sorted(field for word in PATCH_FIELDS.split() for field in expanded(word))

    assert PAGE.listed("### PatchPolicy") == theirs


def test_every_row_has_a_fate_and_a_reason() -> None:
    for row in PAGE.rows("### PatchPolicy"):
        assert row.fate in {"kept", "replaced", "later", "dropped"}, row
        assert row.why or row.fate == "kept", row


def test_what_is_kept_or_replaced_exists_in_our_schema() -> None:
    known = parents(set(FIELDS))

    for row in PAGE.rows("### PatchPolicy"):
        assert (row.ours in known) == (row.fate in {"kept", "replaced"}), row


def test_what_comes_later_or_was_dropped_is_not_in_our_schema() -> None:
    ours = {
        field
        for row in PAGE.rows("### PatchPolicy")
        if row.fate in {"later", "dropped"}
        for field in expanded(row.field)
    }

    assert not ours & set(FIELDS)


def test_every_reader_has_a_test_that_exists() -> None:
    wrong = []
    for row in PAGE.rows("### PatchPolicy"):
        path, _, name = row.test.partition("::")
        if row.ours and not (name and (ROOT / path).is_file() and name in names_in(path)):
            wrong.append(f"{row.field} ({row.ours}): {row.test}")

    assert not wrong, "no such test:\n" + "\n".join(wrong)


def test_a_field_that_is_not_ours_gets_more_than_unknown_field() -> None:
    answered = {*PatchPolicy.answers.not_built, *PatchPolicy.answers.moved}
    others = [
        row
        for row in PAGE.rows("### PatchPolicy")
        if not row.ours and row.field.startswith(("metadata", "spec"))
    ]
    fields = {
        field.replace("spec.selector", "spec.fleet.selector")
        for row in others
        for field in expanded(row.field)
    }

    # Steps are no mappings here, so that one is refused with what a step is.
    assert fields - {field for field in fields if parents({field}) & answered} == {
        "spec.strategy.canary.steps[].analysis"
    }


def test_the_stored_schema_is_what_the_command_prints() -> None:
    command = [sys.executable, "-m", "steadfleet_core.contract", "PatchPolicy"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert SCHEMA.read_text() == printed, "stale: run python -m steadfleet_core.contract PatchPolicy"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(PatchPolicy))


def test_there_are_examples() -> None:
    assert {"web-approval", "web-canary", "web-exponential", "web-rolling"} <= {
        path.stem for path in EXAMPLES
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read(path: Path) -> None:
    policy = read_contract(path.read_text(), path.name, PatchPolicy)

    assert policy.metadata.name == path.stem


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_satisfies_the_schema_as_written_and_with_its_defaults(path: Path) -> None:
    policy = read_contract(path.read_text(), path.name, PatchPolicy)

    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(SCHEMA.read_text()))
    jsonschema.validate(json.loads(policy.model_dump_json(by_alias=True)), json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hooks", {}),
        ("bake", {"time": 5}),
        ("bake", {"time": "soon"}),
        ("disruptionBudget", {"overall": "101%"}),
        ("disruptionBudget", {"perZone": "0.0%"}),
        ("approval", {"minimum_approvers": 2}),
        ("failureTolerance", {"mode": "Strict"}),
        ("strategy", {"type": "blue-green"}),
        ("healthChecks", {"checks": [{"type": "http", "port": "8080"}]}),
        ("image", {"family": "web", "version": "latest"}),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(field: str, value: object) -> None:
    document = yaml.safe_load((ROOT / "examples/policies/web-canary.yaml").read_text())
    document["spec"][field] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))

"""The contract's page, schema and examples say what the code does."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml

from steadfleet_core.campaign.demands import MOVED, NOT_BUILT, refuse_unmet
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.contract import read_contract, schema_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/contract.md").read_text()
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

IMAGE_FIELDS = """
apiVersion kind metadata.{family,version,labels,annotations} spec.os.{name,version,architecture}
spec.compliance.{cisLevel,signed,signatureKeyRef,sbomRequired,sbomUrl,slsaLevel}
spec.compliance.attestations[].{type,url,passed}
spec.lifecycle.{status,createdAt,promotedAt,deprecatedAt,retiredAt,retentionDays}
spec.platforms.aws.{enabled,regions,amiIds,shareWithAccounts,kmsKeyId}
spec.platforms.azure.{enabled,subscriptionId,resourceGroup,regions}
spec.platforms.azure.gallery.{name,imageName,imageVersion}
spec.platforms.gcp.{enabled,projectId,imageFamily,imageName,regions}
spec.platforms.vsphere.{enabled,vcenter,datacenter,cluster,datastore,folder,templateName,contentLibrary}
spec.build.{packerTemplate,sourceImage,buildNumber,gitCommit,ciPipelineUrl}
spec.windows.edition spec.windows.servicing.{channel,wsusServer,updatePolicy}
spec.windows.security.{credentialGuard,deviceGuard,secureboot}
spec.windows.security.bitlocker.{enabled,recoveryKeyEscrow}
spec.windows.defender.{enabled,realtimeProtection,cloudDeliveredProtection,automaticSampleSubmission}
spec.windows.defender.exclusions.{paths,extensions,processes}
spec.windows.laps.{enabled,passwordLength,passwordAgeDays,managementMode} spec.windows.roles[].{name,features}
spec.windows.dotnet.{framework35,framework48,dotnet6,dotnet8}
spec.windows.powershell.{executionPolicy,transcription,scriptBlockLogging,constrainedLanguageMode}
spec.windows.audit.{logonEvents,objectAccess,policyChange,privilegeUse,processTracking,systemEvents}
spec.windows.firewall.{enabled,profiles.domain,profiles.private,profiles.public}
spec.windows.firewall.rules[].{name,direction,action,port,protocol}
"""


class Row(NamedTuple):
    field: str
    fate: str
    ours: str
    why: str
    test: str = ""


def expanded(field: str) -> list[str]:
    """Expand `a.{b,c}` to `a.b` and `a.c`."""
    match = re.fullmatch(r"(.*)\{(.*)\}", field)
    return [match[1] + part for part in match[2].split(",")] if match else [field]


def table_after(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    _, _, text = PAGE.partition(f"\n{heading}\n")
    lines = text[text.index("\n|") :].strip().split("\n\n")[0].splitlines()
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" |")] for line in lines[2:]]


def rows(heading: str) -> list[Row]:
    return [Row(*cells) for cells in table_after(heading)]


def schema_fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, bool, Any]]:
    """Yield the path of every field that is no mapping of fields, whether it is required, and its default."""
    if "$ref" in schema:
        schema = schema_of(PatchPolicy)["$defs"][schema["$ref"].rpartition("/")[2]]
    branches = schema.get("oneOf", [schema])
    for branch in branches:
        if branch is not schema:
            yield from schema_fields(branch, path)
        for name, child in branch.get("properties", {}).items():
            here = f"{path}.{name}".removeprefix(".")
            nested = [*schema_fields(child, here)]
            if "items" in child:
                nested += schema_fields(child["items"], f"{here}[]")
            if not nested or "items" in child:
                yield here, name in branch.get("required", ()), child.get("default")
            yield from nested


FIELDS = {path: (required, default) for path, required, default in schema_fields(schema_of(PatchPolicy))}


def parents(fields: set[str]) -> set[str]:
    return {field.rsplit(".", depth)[0] for field in fields for depth in range(4)}


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_the_page_lists_every_field_with_its_default() -> None:
    documented = {field: default.strip("`") for field, default, _ in table_after("## Fields")}
    written = {
        path: "required" if required else default if isinstance(default, str) else json.dumps(default)
        for path, (required, default) in FIELDS.items()
    }

    assert documented == written


@pytest.mark.parametrize(
    ("heading", "fields"), [("### PatchPolicy", PATCH_FIELDS), ("### GoldenImage", IMAGE_FIELDS)]
)
def test_no_field_of_the_other_contracts_is_missing_or_invented(heading: str, fields: str) -> None:
    listed = [field for row in rows(heading) for field in expanded(row.field)]

    assert sorted(listed) == sorted(field for word in fields.split() for field in expanded(word))


@pytest.mark.parametrize("heading", ["### PatchPolicy", "### GoldenImage"])
def test_every_row_has_a_fate_and_a_reason(heading: str) -> None:
    for row in rows(heading):
        assert row.fate in {"kept", "replaced", "later", "dropped"}, row
        assert row.why or row.fate == "kept", row


def test_golden_images_are_not_built() -> None:
    assert {row.fate for row in rows("### GoldenImage")} == {"later", "dropped"}


def test_what_is_kept_or_replaced_exists_in_our_schema() -> None:
    known = parents(set(FIELDS))

    for row in rows("### PatchPolicy"):
        assert (row.ours in known) == (row.fate in {"kept", "replaced"}), row


def test_what_comes_later_or_was_dropped_is_not_in_our_schema() -> None:
    ours = {
        field
        for row in rows("### PatchPolicy")
        if row.fate in {"later", "dropped"}
        for field in expanded(row.field)
    }

    assert not ours & set(FIELDS)


def test_every_reader_has_a_test_that_exists() -> None:
    wrong = []
    for row in rows("### PatchPolicy"):
        path, _, name = row.test.partition("::")
        if row.ours and not (name and (ROOT / path).is_file() and name in names_in(path)):
            wrong.append(f"{row.field} ({row.ours}): {row.test}")

    assert not wrong, "no such test:\n" + "\n".join(wrong)


def test_a_field_that_is_not_ours_gets_more_than_unknown_field() -> None:
    answered = {*NOT_BUILT, *MOVED}
    others = [
        row for row in rows("### PatchPolicy") if not row.ours and row.field.startswith(("metadata", "spec"))
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
def test_an_example_is_read_and_demands_nothing_unbuilt(path: Path) -> None:
    policy = read_contract(path.read_text(), path.name, PatchPolicy)

    assert policy.metadata.name == path.stem
    refuse_unmet(policy)


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

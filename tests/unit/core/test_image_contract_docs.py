"""The page, schema and examples of images say what the code does."""

import json
import re
import subprocess
import sys
from collections import defaultdict

import jsonschema
import pytest
import yaml
from unit.core.contract_page import ROOT, Page, expanded, fields_of, parents

from steadfleet_core.contract import read_contract, schema_of
from steadfleet_core.errors import ContractError
from steadfleet_core.image.golden import GoldenImage

PAGE = Page("docs/image-contract.md")
TEXT = (ROOT / PAGE.path).read_text()
SCHEMA = ROOT / "docs/schema/GoldenImage.json"
FIELDS = fields_of(GoldenImage)
THEIRS = "## Against the public Go project that we are measured by"

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
"""Every field of the GoldenImage of the project that we are measured against, from its contract."""

EXAMPLE, PROBLEMS = re.findall(r"```\w*\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_lists_every_field_with_its_default() -> None:
    documented = {field: default.replace("`", "") for field, default, _ in PAGE.table_after("## Fields")}
    written: dict[str, list[str]] = defaultdict(list)
    for path, required, default in FIELDS:
        shown = "required" if required else default if isinstance(default, str) else json.dumps(default)
        written[path].append(shown)

    assert documented == {path: " or ".join(dict.fromkeys(shown)) for path, shown in written.items()}


def test_no_field_of_the_other_contract_is_missing_or_invented() -> None:
    assert PAGE.listed(THEIRS) == sorted(field for word in IMAGE_FIELDS.split() for field in expanded(word))


def test_every_row_has_a_fate_and_a_reason() -> None:
    for row in PAGE.rows(THEIRS):
        assert row.fate in {"kept", "replaced", "later", "dropped"}, row
        assert row.why or row.fate == "kept", row


def test_what_is_kept_or_replaced_exists_in_our_schema_and_nothing_else() -> None:
    known = parents({path for path, _, _ in FIELDS})

    for row in PAGE.rows(THEIRS):
        assert (row.ours in known) == (row.fate in {"kept", "replaced"}), row
        if row.fate in {"later", "dropped"}:
            assert not set(expanded(row.field)) & known, row


def test_a_field_that_is_not_ours_gets_more_than_unknown_field() -> None:
    answered = {*GoldenImage.answers.not_built, *GoldenImage.answers.moved}
    known = {path for path, _, _ in FIELDS}
    others = {field for row in PAGE.rows(THEIRS) for field in expanded(row.field)} - known

    assert not {field for field in others if not parents({field}) & answered}


def test_the_stored_schema_is_what_the_command_prints() -> None:
    command = [sys.executable, "-m", "steadfleet_core.contract", "GoldenImage"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert SCHEMA.read_text() == printed, "stale: run python -m steadfleet_core.contract GoldenImage"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(GoldenImage))


def test_the_example_of_the_page_is_read_and_satisfies_the_schema() -> None:
    image = read_contract(EXAMPLE, "web.yaml", GoldenImage)

    assert (image.family, image.version) == ("web", "1.4.2")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validate(json.loads(image.model_dump_json(by_alias=True)), schema)


def test_the_problems_of_the_page_are_what_is_said() -> None:
    wrong = (
        EXAMPLE.replace(
            "{name: debian-12-amd64-20260101, owner: amazon}", "{id: ami-0123456789abcdef0, name: debian}"
        )
        .replace("2027-01-31", "next year")
        .replace("    channel: dev", "    channel: dev\n  os: {name: debian}")
    )

    with pytest.raises(ContractError) as caught:
        read_contract(wrong, "web.yaml", GoldenImage)

    assert PROBLEMS.strip().splitlines() == caught.value.problems


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "latest"),
        ("version", "1.4.2+build"),
        ("build", {"template": "/etc/passwd", "base": {"id": "ami-0123456789abcdef0"}}),
        ("build", {"template": "../web.pkr.hcl", "base": {"id": "ami-0123456789abcdef0"}}),
        ("tests", {"checks": [{"type": "goss", "name": "x"}]}),
        ("tests", {"checks": [{"type": "file", "name": "x", "path": "/x", "contains": "a\nb"}]}),
        ("gates", {"vulnerabilities": {"advisories": "a.json", "severity": "moderate"}}),
        ("publish", {"shareWith": [123456789012]}),
        ("os", {}),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(field: str, value: object) -> None:
    document = yaml.safe_load(EXAMPLE)
    document["spec"]["gates"] = {}
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    document["spec"][field] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    with pytest.raises(ContractError):
        read_contract(yaml.safe_dump(document), "web.yaml", GoldenImage)

"""docs/signing.md says what the code does: its policy can be read, its recipe measures what we measure."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from unit.signing.test_ami import RECORDED

from steadfleet_core.contract import read_contract
from steadfleet_signing.ami import describe
from steadfleet_signing.statement import CYCLONEDX, PLAIN_SIGNATURE, SLSA_PROVENANCE, TEST_RESULT
from steadfleet_signing.trust import Environment, TrustedIdentity, TrustedKey, TrustPolicy, TrustSpec

PAGE = (Path(__file__).parents[3] / "docs" / "signing.md").read_text()


def test_the_policy_can_be_read() -> None:
    (written,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    policy = read_contract(written, "signing.md", TrustPolicy)

    assert policy.spec.environment is Environment.PROD
    assert policy.spec.revoked


def test_every_field_of_a_policy_is_explained() -> None:
    rows = "\n".join(re.findall(r"^\| `spec\..*$", PAGE, re.MULTILINE))
    for kind in (TrustSpec, TrustedKey, TrustedIdentity):
        for name, field in kind.model_fields.items():
            assert re.search(rf"\b{field.alias or name}\b", rows), name


@pytest.mark.parametrize("predicate_type", [SLSA_PROVENANCE, CYCLONEDX, TEST_RESULT, PLAIN_SIGNATURE])
def test_every_predicate_is_named(predicate_type: str) -> None:
    assert f"`{predicate_type}`" in PAGE


def test_an_auditor_measures_what_we_measure(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("jq is missing: install it")
    (program,) = re.findall(r"jq -cjS --arg region \"\$REGION\" '(.*?)' \| sha256sum", PAGE, re.DOTALL)

    answer = json.dumps({"Images": [RECORDED]})
    told = subprocess.run(
        ["jq", "-cjS", "--arg", "region", "eu-west-1", program],
        input=answer.encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert told.stdout == describe(RECORDED, "eu-west-1").canonical

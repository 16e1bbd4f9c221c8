"""A golden image's file: every mistake by line, path and value, with what was expected."""

import re

import pytest
from unit.core.test_contract import mistake

from steadfleet_core.contract import read_contract
from steadfleet_core.errors import ContractError
from steadfleet_core.image.golden import GoldenImage

GOOD = """\
apiVersion: steadfleet.dev/v1
kind: GoldenImage
metadata:
  name: web
spec:
  version: 1.4.2
  build:
    template: web.pkr.hcl
    base: {id: ami-0123456789abcdef0}
  tests:
    checks:
      - {type: http, name: answers, port: 80}
      - {type: command, name: configured, run: nginx -t, stdout: ok$}
      - {type: file, name: clean, path: /etc/x, absent: true}
  gates:
    vulnerabilities:
      advisories: osv.json
      waivers:
        - {id: CVE-2026-1, reason: not reachable, expires: 2027-01-31}
  publish:
    regions: [{name: eu-west-1}]
"""

MISTAKES = r"""
version: 1.4.2 => version: 1.4
    6: spec.version: 1.4 — expected a semantic version such as 1.4.2 or 1.4.2-rc.1; build metadata (+…) is not
    read; put the value in quotes
version: 1.4.2 => version: latest
    6: spec.version: latest — expected a semantic version such as 1.4.2 or 1.4.2-rc.1; build metadata (+…) is
    not read
version: 1.4.2 => version: 1.4.2+7
    6: spec.version: 1.4.2+7 — expected a semantic version such as 1.4.2 or 1.4.2-rc.1; build metadata (+…) is
    not read
{id: ami-0123456789abcdef0} => {id: ami-0123456789abcdef0, reference: debian}
    9: spec.build.base: {id: ami-0123456789abcdef0, reference: debian} — expected exactly one of id, name,
    family or reference
{id: ami-0123456789abcdef0} => {family: base}
    9: spec.build.base: {family: base} — expected family with either version or channel, and those only with
    family
{id: ami-0123456789abcdef0} => {id: ami-1, owner: amazon}
    9: spec.build.base.id: ami-1 — expected an image id such as ami-0123456789abcdef0
{id: ami-0123456789abcdef0} => {id: ami-0123456789abcdef0, owner: amazon}
    9: spec.build.base: {id: ami-0123456789abcdef0, owner: amazon} — owner would be ignored: expected it only
    with name
template: web.pkr.hcl => template: ../web.pkr.hcl
    8: spec.build.template: ../web.pkr.hcl — expected a path below the folder of this file
template: web.pkr.hcl => templates: web.pkr.hcl
    8: spec.build.templates: web.pkr.hcl — is an unknown field: did you mean template?
template: web.pkr.hcl => packerTemplate: web.pkr.hcl
    8: spec.build.packerTemplate: web.pkr.hcl — is not a field here: expected spec.build.template
name: configured => name: answers
    11: spec.tests.checks: [{type: http, name: answers, port: 80}, {type: command, nam… — answers is used
    twice: expected every check to have its own name
stdout: ok$ => stdout: (ok
    13: spec.tests.checks[1].stdout: (ok — is no regular expression: missing ), unterminated subpattern at
    position 0
type: command => type: goss
    13: spec.tests.checks[1].type: goss — is not built yet and is refused, not ignored; expected one of
    command, file, http, testinfra
absent: true => absent: true, mode: "0644"
    14: spec.tests.checks[2]: {type: file, name: clean, path: /etc/x, absent: true, mode:… — mode, sha256
    and contains would be ignored: expected none of them with absent
absent: true => mode: "644"
    14: spec.tests.checks[2].mode: "644" — expected a mode such as "0644", in quotes
absent: true => mode: 4755
    14: spec.tests.checks[2].mode: 4755 — expected a mode such as "0644", in quotes; put the value in quotes
path: /etc/x => path: etc/x
    14: spec.tests.checks[2].path: etc/x — expected an absolute path
expires: 2027-01-31 => expires: soon
    19: spec.gates.vulnerabilities.waivers[0].expires: soon — expected a day such as 2027-01-31
expires: 2027-01-31 => expires: 31.01.2027
    19: spec.gates.vulnerabilities.waivers[0].expires: 31.01.2027 — expected a day such as 2027-01-31
expires: 2027-01-31 => expires: 2027-02-30
    19: spec.gates.vulnerabilities.waivers[0].expires: 2027-02-30 — expected a day such as 2027-01-31
expires: 2027-01-31 => until: 2027-01-31
    19: spec.gates.vulnerabilities.waivers[0].expires: (missing) — is required: expected a day such as
    2027-01-31
advisories: osv.json => advisories: /etc/osv.json
    17: spec.gates.vulnerabilities.advisories: /etc/osv.json — expected a path below the folder of this file
advisories: osv.json => advisories: osv.json\n      severity: moderate
    18: spec.gates.vulnerabilities.severity: moderate — expected one of low, medium, high, critical
gates:\n => gates:\n    sbom: false\n
    15: spec.gates: {sbom: false, vulnerabilities: {advisories: osv.json, waive… — vulnerabilities are looked
    up in the SBOM: expected sbom: true with them
[{name: eu-west-1}] => [{name: eu-west-1}, {name: eu-west-1}]
    20: spec.publish: {regions: [{name: eu-west-1}, {name: eu-west-1}]} — a region is named twice: expected
    each once
regions: [{name: eu-west-1}] => registries: [{name: r/web, kmsKey: k}]
    20: spec.publish: {registries: [{name: r/web, kmsKey: k}]} — shareWith and kmsKey would be ignored:
    expected them only with regions
regions: [{name: eu-west-1}] => shareWith: [123456789012]
    21: spec.publish.shareWith[0]: 123456789012 — expected an AWS account of 12 digits, in quotes; put the
    value in quotes
kind: GoldenImage => kind: PatchPolicy
    2: kind: PatchPolicy — expected GoldenImage
kind: GoldenImage => kind: DrillPlan
    2: kind: DrillPlan — expected GoldenImage
"""
"""A part of the good file => what is written instead, and the problem that it is."""


def test_a_good_file_is_read() -> None:
    image = read_contract(GOOD, "web.yaml", GoldenImage)

    assert image.files == ("web.pkr.hcl", "osv.json")
    assert [check.name for check in image.spec.tests.checks] == ["answers", "configured", "clean"]


@pytest.mark.parametrize(
    ("old", "new", "problem"), [mistake(text) for text in re.split(r"\n(?! )", MISTAKES.strip())]
)
def test_a_mistake_is_named_by_place_value_and_expectation(old: str, new: str, problem: str) -> None:
    assert GOOD.count(old) == 1

    with pytest.raises(ContractError) as caught:
        read_contract(GOOD.replace(old, new), "web.yaml", GoldenImage)

    assert problem in caught.value.problems


def test_all_mistakes_are_reported_at_once() -> None:
    wrong = GOOD.replace("1.4.2", "1").replace("2027-01-31", "soon").replace("port: 80", "port: 0")

    with pytest.raises(ContractError) as caught:
        read_contract(wrong, "web.yaml", GoldenImage)

    assert [line.split(":")[1] for line in caught.value.problems] == ["6", "12", "19"]


def test_what_an_image_writes_it_reads() -> None:
    image = read_contract(GOOD, "web.yaml", GoldenImage)

    assert read_contract(image.model_dump_json(by_alias=True), "web.yaml", GoldenImage) == image

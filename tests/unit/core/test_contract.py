"""Read a contract: every problem by file, line, path and value, with what was expected."""

import re
from typing import Any, ClassVar, Literal

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steadfleet_core.answers import Answers
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.contract import MOST_LEVELS, read_contract
from steadfleet_core.errors import ContractError
from steadfleet_core.image.golden import GoldenImage
from steadfleet_core.kinds import KINDS
from steadfleet_core.model import Contract

GOOD = """\
apiVersion: steadfleet.dev/v1
kind: PatchPolicy
metadata:
  name: web
spec:
  fleet:
    name: web
    selector:
      groups: [web]
  image: {family: web, version: 2.0.0}
  strategy:
    type: canary
    canary:
      steps: [1, 25%, 100%]
  healthChecks:
    checks:
      - type: http
        port: 8080
        path: /healthz
  approval:
    required: true
"""


def read(text: str) -> PatchPolicy:
    return read_contract(text, "web.yaml", PatchPolicy)


def problems_of(text: str) -> list[str]:
    try:
        read(text)
    except ContractError as error:
        return error.problems
    return []


def problems(text: str) -> list[str]:
    found = problems_of(text)
    assert found, "was read"
    return found


def problems_with(old: str, new: str) -> list[str]:
    """Return the problems of the good policy with one part of it written otherwise."""
    assert GOOD.count(old) == 1
    return problems(GOOD.replace(old, new))


def test_a_good_policy_is_read() -> None:
    policy = read(GOOD)

    assert policy.metadata.name == "web"
    assert policy.spec.strategy.canary.steps == (1, "25%", "100%")


def test_anchors_and_aliases_are_read() -> None:
    policy = read(GOOD.replace("name: web\nspec", "name: &name web\nspec").replace("[web]", "[*name]"))

    assert policy.spec.fleet.selector.groups == ("web",)


MISTAKES = r"""
[1, 25%, 100%] => [50%, 25%]
    14: spec.strategy.canary.steps: [50%, 25%] — steps must ascend and end at 100%: expected hosts, then
    shares: [1, 25%, 100%]
25% => 125%
    14: spec.strategy.canary.steps[1]: 125% — expected a number of hosts (3) or a percentage of them
    (10%), at most 100%
required: true => minimumAprovers: 2
    21: spec.approval.minimumAprovers: 2 — is an unknown field: did you mean minimumApprovers?
required: true => xyzzy: 1
    21: spec.approval.xyzzy: 1 — is an unknown field: expected one of required, minimumApprovers,
    allowedApprovers, timeout, proven, keys
required: true => minimum_approvers: 2
    21: spec.approval.minimum_approvers: 2 — is an unknown field: did you mean minimumApprovers?
required: true => minApprovers: 2
    21: spec.approval.minApprovers: 2 — is not a field here: expected spec.approval.minimumApprovers
required: true => timeout: 30
    21: spec.approval.timeout: 30 — a duration needs a unit: expected a duration such as 30s, 5m, 2h, 1d
    or 1h30m
required: true => timeout: soon
    21: spec.approval.timeout: soon — expected a duration such as 30s, 5m, 2h, 1d or 1h30m
required: true => required: yes
    21: spec.approval.required: yes — expected true or false
{family: web, version: 2.0.0} => {family: web}
    10: spec.image: {family: web} — expected an id (ami-…), or family and version: not both, and no half
{family: web, version: 2.0.0} => {family: web, version: 2.0}
    10: spec.image.version: 2.0 — expected a version of three numbers such as 1.4.2 or 1.4.2-rc.1; put
    the value in quotes
image: {family: web, version: 2.0.0} => # image: none
    5: spec.image: (missing) — is required: expected a mapping of id, family, version, signed
port: 8080 => port: "8080"
    18: spec.healthChecks.checks[0].port: "8080" — expected a whole number at least 1 and at most 65535
port: 8080 => prot: 8080
    17: spec.healthChecks.checks[0].port: (missing) — is required: expected a whole number at least 1
    and at most 65535
type: http => type: grpc
    17: spec.healthChecks.checks[0].type: grpc — expected one of command, http, tcp
type: http\n        port => port
    17: spec.healthChecks.checks[0].type: (missing) — expected one of command, http, tcp
type: canary => type: canaries
    12: spec.strategy.type: canaries — expected one of immediate, rolling, canary
type: canary => type: blue-green
    12: spec.strategy.type: blue-green — is not built yet and is refused, not ignored; expected one of
    immediate, rolling, canary
type: canary => type: canary\n    type: rolling
    13: spec.strategy.type: rolling — is written twice: first on line 12, expected once
name: web\nspec => name: Web\nspec
    4: metadata.name: Web — expected 1 to 63 lower-case letters, digits, dots and dashes, with a letter
    or digit at both ends
groups: [web] => groups: web
    9: spec.fleet.selector.groups: web — expected a list
groups: [web] => tags: {team: 7}
    9: spec.fleet.selector.tags.team: 7 — expected text; put the value in quotes
groups: [web] => # groups: none
    8: spec.fleet.selector: (empty) — expected a mapping of groups, tags, zones, excludeHosts
required: true => required: !!bool true
    21: spec.approval.required: true — tags are not read: expected a plain value without
    tag:yaml.org,2002:bool
"""
"""A part of the good policy => what is written instead, and the problem that it is."""


def mistake(text: str) -> tuple[str, str, str]:
    parts, *problem = text.splitlines()
    old, _, new = parts.replace(r"\n", "\n").partition(" => ")
    return old, new, "web.yaml:" + " ".join(line.strip() for line in problem)


@pytest.mark.parametrize(
    ("old", "new", "problem"), [mistake(text) for text in re.split(r"\n(?! )", MISTAKES.strip())]
)
def test_a_mistake_is_named_by_place_value_and_expectation(old: str, new: str, problem: str) -> None:
    assert problem in problems_with(old, new)


def test_one_mistake_is_one_problem() -> None:
    assert len(problems_with("port: 8080", "port: 99999")) == 1
    assert len(problems_with("type: http", "type: grpc")) == 1


def test_all_problems_are_reported_at_once_by_line() -> None:
    text = (
        GOOD.replace("required: true", "required: 1")
        .replace("8080", "0")
        .replace("name: web\nsp", "name: W\nsp")
    )

    lines = [int(problem.split(":")[1]) for problem in problems(text)]

    assert lines == [4, 18, 21]


def test_a_long_value_is_shortened() -> None:
    (problem,) = problems_with("required: true", f"allowedApprovers: {'x' * 200}")

    assert problem == f"web.yaml:21: spec.approval.allowedApprovers: {'x' * 59}… — expected a list"


@pytest.mark.parametrize("text", ["", "# a comment", "---\n", "~", "null"])
def test_an_empty_file_is_refused(text: str) -> None:
    assert problems(text) == [
        "web.yaml:1: is empty: expected a mapping of apiVersion, kind, metadata and spec"
    ]


@pytest.mark.parametrize(("text", "shown"), [("- web", "[web]"), ("web", "web"), ("3", "3")])
def test_what_is_no_mapping_is_refused(text: str, shown: str) -> None:
    assert problems(text) == [
        f"web.yaml:1: the document: {shown} — expected a mapping of apiVersion, kind, metadata and spec"
    ]


def test_a_second_document_is_refused() -> None:
    assert problems(GOOD + "---\n" + GOOD) == [
        "web.yaml:23: a second document begins: expected one contract a file"
    ]


def test_another_kind_is_refused() -> None:
    assert problems_with("kind: PatchPolicy", "kind: Deployment") == [
        "web.yaml:2: kind: Deployment — expected PatchPolicy"
    ]


def test_another_kind_is_the_only_problem_of_its_file() -> None:
    assert problems("apiVersion: steadfleet.dev/v1\nkind: GoldenImage\nspec: {os: {name: rhel}}") == [
        "web.yaml:2: kind: GoldenImage — expected PatchPolicy"
    ]


def test_another_api_version_is_refused() -> None:
    assert problems_with("steadfleet.dev/v1", "ql-rf.io/v1") == [
        "web.yaml:1: apiVersion: ql-rf.io/v1 — expected steadfleet.dev/v1"
    ]


def test_a_missing_header_is_refused() -> None:
    assert problems("spec: {}") == [
        "web.yaml:1: apiVersion: (missing) — is required: expected steadfleet.dev/v1",
        "web.yaml:1: kind: (missing) — is required: expected PatchPolicy",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n\tb: 1", r"web.yaml:2: is not YAML: found character '\t' that cannot start any token"),
        ("a: [1", "web.yaml:2: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb: *x", "web.yaml:2: is not YAML: found undefined alias 'x'"),
        ("a: 1\nb: \x07", "web.yaml:2: is not YAML: special characters are not allowed"),
        ("a: &a [*a]", "web.yaml:1: a[0] contains itself through an alias"),
        (
            "? [a]\n: 1",
            "web.yaml:1: the document: [a] — expected a field's name; merge keys are not read",
        ),
        (
            "a: &a {b: 1}\nc:\n  <<: *a",
            "web.yaml:3: c: << — expected a field's name; merge keys are not read",
        ),
        ("a: " + "[" * 60 + "]" * 60, "web.yaml:1: expected at most 20000 values and 50 levels"),
        ("a: " + "[" * 9000, f"web.yaml:1: expected at most {MOST_LEVELS} levels"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, problem: str) -> None:
    assert problems(text + "\n" if "[1" in text else text) == [problem]


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))

    assert problems(bomb)[0].endswith("expected at most 20000 values and 50 levels")


@pytest.mark.parametrize("word", ["on", "no", "1:30", "2026-11-21", "0123", "0x1F", "1_000"])
def test_only_yaml_1_2_words_are_more_than_text(word: str) -> None:
    policy = read(GOOD.replace("  name: web\nspec", f"  name: web\n  labels: {{it: {word}}}\nspec"))

    assert policy.metadata.labels == {"it": word}


@pytest.mark.parametrize("word", ["true", "1", "1.5", "-3", "null", "~"])
def test_a_word_that_yaml_reads_otherwise_wants_quotes(word: str) -> None:
    text = GOOD.replace("  name: web\nspec", f"  name: web\n  labels: {{it: {word}}}\nspec")

    assert problems(text) == [
        f"web.yaml:5: metadata.labels.it: {word} — expected text; put the value in quotes"
    ]
    assert read(text.replace(word + "}", f'"{word}"}}')).metadata.labels == {"it": word}


def nested(path: str, kind: str) -> str:
    """Write a document that has a value at the dotted path."""
    *parents, last = path.split(".")
    value: dict[str, Any] = {last: "x"}
    for name in reversed(parents):
        value = {name: value}
    header = {"apiVersion": "steadfleet.dev/v1", "kind": kind}
    return yaml.safe_dump({**header, **value}, sort_keys=False)


def answer_at(path: str, kind: type[Contract]) -> str:
    with pytest.raises(ContractError) as caught:
        read_contract(nested(path, kind.__name__), "web.yaml", kind)
    (mine,) = (problem for problem in caught.value.problems if f": {path}: x — " in problem)
    return mine


def answered(table: str) -> list[tuple[type[Contract], str]]:
    return [(kind, path) for kind in KINDS.values() for path in sorted(getattr(kind.answers, table))]


@pytest.mark.parametrize(("kind", "path"), answered("not_built"))
def test_what_is_not_built_is_refused_not_ignored(kind: type[Contract], path: str) -> None:
    assert "is not built yet and is refused, not ignored" in answer_at(path, kind)


@pytest.mark.parametrize(("kind", "path"), answered("moved"))
def test_what_is_said_otherwise_here_says_how(kind: type[Contract], path: str) -> None:
    assert f"is not a field here: expected {kind.answers.moved[path]}" in answer_at(path, kind)


def test_each_kind_has_its_own_answers() -> None:
    assert "did you mean" not in answer_at("spec.os", GoldenImage)
    assert "is an unknown field" in answer_at("spec.os", PatchPolicy)


class Foreign(Contract):
    """A kind that the rules have never heard of."""

    answers: ClassVar[Answers] = Answers(not_built={"spec": "wait"})

    api_version: Literal["steadfleet.dev/v1"]
    kind: Literal["Foreign"]
    name: str


def test_a_kind_of_another_package_is_read_by_its_class() -> None:
    header = "apiVersion: steadfleet.dev/v1\nkind: Foreign\nname: it\n"

    assert read_contract(header, "web.yaml", Foreign).name == "it"
    with pytest.raises(ContractError, match=r"web\.yaml:4: spec: x — is not built yet .*; wait$"):
        read_contract(header + "spec: x\n", "web.yaml", Foreign)


def test_what_a_file_says_cannot_reach_the_terminal() -> None:
    (problem,) = problems_with("required: true", r'"a\e[2J\nb": true')

    assert problem.startswith("web.yaml:21: spec.approval.a [2J b: true — is an unknown field")


def test_the_error_holds_one_line_a_problem() -> None:
    with pytest.raises(ContractError) as caught:
        read("spec: {}")

    assert str(caught.value).splitlines() == caught.value.problems


def test_what_a_policy_writes_it_reads() -> None:
    policy = read(GOOD)

    assert read(policy.model_dump_json(by_alias=True)) == policy


yaml_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1h", "10%"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=8,
)
places = ["metadata", "spec"] + [
    f"spec.{field}" for field in ("fleet", "image", "strategy", "healthChecks", "bake")
]


@settings(deadline=None)  # a busy machine is no bug
@given(st.sampled_from(places), yaml_values)
@example("spec.healthChecks", {"checks": [{"type": "http", "http": {"port": None}}]})
@example("metadata", {"<<": None, "\n": None})
@example("spec.healthChecks", {"checks": [None, {"type": ["http"]}, {"type": None}]})
def test_whatever_is_written_the_answer_is_a_problem_of_its_line(place: str, value: object) -> None:
    document = yaml.safe_load(GOOD)
    holder = document
    *parents, last = place.split(".")
    for name in parents:
        holder = holder[name]
    holder[last] = value
    text = yaml.safe_dump(document, allow_unicode=True)

    assert all(re.match(r"web\.yaml:\d+: .+ — .+", problem) for problem in problems_of(text))


@settings(deadline=None)
@given(st.text())
def test_any_text_is_refused_without_a_crash(text: str) -> None:
    assert problems(text)

"""What the command line says replaces what the policy says, before it is validated."""

from pathlib import Path

import pytest

from steadfleet_cli.campaign.override import Overrides
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.contract import read_contract
from steadfleet_core.errors import ContractError

TEXT = Path("examples/policies/web-canary.yaml").read_text()


def read(text: str, **overrides: object) -> PatchPolicy:
    return read_contract(Overrides(**overrides).apply(text, "web.yaml"), "web.yaml", PatchPolicy)  # type: ignore[arg-type]


def test_nothing_said_changes_nothing() -> None:
    assert Overrides().apply(TEXT, "web.yaml") == TEXT


def test_all_overrides_apply_together() -> None:
    policy = read(
        TEXT,
        strategy="rolling",
        fleet="api",
        groups=("api-1", "api-2"),
        image="ami-0123456789abcdef0",
        name="api-patch",
    )

    assert policy.metadata.name == "api-patch"
    assert policy.spec.strategy.type == "rolling"
    assert policy.spec.fleet.name == "api"
    assert policy.spec.fleet.selector.groups == ("api-1", "api-2")
    assert policy.spec.image.id == "ami-0123456789abcdef0"


def test_an_image_may_be_a_family_and_version() -> None:
    image = read(TEXT, image="web@2.1.0").spec.image

    assert (image.id, image.family, image.version) == (None, "web", "2.1.0")


def test_a_demanded_signature_stays_demanded() -> None:
    text = TEXT.replace("version: 2.0.0", "version: 2.0.0\n    signed: true")

    assert read(text, image="ami-0123456789abcdef0").spec.image.signed


def test_the_same_strategy_keeps_its_block() -> None:
    assert read(TEXT, strategy="canary").spec.strategy.canary.steps == (10, "25%", "50%", "100%")


def test_groups_are_not_added_to_tags() -> None:
    text = TEXT.replace("groups: [web]", "tags: {role: web}")

    selector = read(text, groups=("web-b",)).spec.fleet.selector

    assert (selector.groups, selector.tags) == (("web-b",), {})


def test_a_missing_strategy_can_be_said_on_the_command_line() -> None:
    lines = [line for line in TEXT.splitlines() if "canary" not in line and "strategy" not in line]
    text = "\n".join(line for line in lines if "steps" not in line)

    assert read(text, strategy="immediate", name="web").spec.strategy.type == "immediate"


def test_a_missing_value_is_added_to_a_mapping_in_braces() -> None:
    text = TEXT.replace("selector:\n      groups: [web]", "selector: {zones: [a]}")

    assert read(text, groups=("web",)).spec.fleet.selector.groups == ("web",)


def test_problems_further_down_keep_their_lines() -> None:
    line = next(n for n, text in enumerate(TEXT.splitlines(), start=1) if "first: 30m" in text)
    text = TEXT.replace("first: 30m", "first: soon")

    with pytest.raises(ContractError) as refused:
        read(text, strategy="rolling", image="ami-0123456789abcdef0", fleet="api", name="api")

    assert [problem.split(": ")[:2] for problem in refused.value.problems] == [
        [f"web.yaml:{line}", "spec.bake.first"]
    ]


def test_an_override_is_judged_like_anything_written() -> None:
    with pytest.raises(ContractError, match=r"spec\.image\.id: bad — expected an image id"):
        read(TEXT, image="bad")


@pytest.mark.parametrize("name", ["a: b", "x # y", "[", '"', "&a", "- a"])
def test_a_value_is_never_read_as_yaml(name: str) -> None:
    with pytest.raises(ContractError) as refused:
        read(TEXT, fleet=name)

    assert [problem.split(": ")[1] for problem in refused.value.problems] == ["spec.fleet.name"]


@pytest.mark.parametrize("name", ["true", "null", "123", "1.5"])
def test_a_value_stays_text(name: str) -> None:
    assert read(TEXT, fleet=name).spec.fleet.name == name


def test_an_alias_is_refused_rather_than_changed_elsewhere() -> None:
    text = TEXT.replace("name: web-canary", "name: &name web-canary").replace("name: web\n", "name: *name\n")

    with pytest.raises(ContractError, match=r"spec\.fleet\.name is an alias"):
        read(text, fleet="api")


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "just words"])
def test_a_text_that_is_no_mapping_is_left_for_the_contract(text: str) -> None:
    assert Overrides(fleet="api").apply(text, "web.yaml") == text

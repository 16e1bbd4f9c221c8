"""Where a policy, and a campaign's name, come from."""

from pathlib import Path

import pytest

from steadfleet_cli.campaign.override import Overrides
from steadfleet_cli.campaign.policy import campaign_name, read_policy, synthetic_policy
from steadfleet_cli.exits import CommandError

EXAMPLE = Path("examples/policies/web-canary.yaml").absolute()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_policy_is_by_default_the_one_of_the_folder(here: Path) -> None:
    (here / "steadfleet.yaml").write_text(EXAMPLE.read_text())

    assert read_policy(None, Overrides()).metadata.name == "web-canary"


def test_a_missing_policy_says_what_to_do(here: Path) -> None:
    with pytest.raises(CommandError) as refused:
        read_policy(None, Overrides())

    assert refused.value.code == 2
    assert refused.value.message == "policy steadfleet.yaml: there is no such file"
    assert "-f FILE" in refused.value.advice


def test_a_plain_group_gets_a_policy_with_its_name() -> None:
    policy = synthetic_policy("Web_Servers (old)", Overrides(image="web@1.2.3"))

    assert policy.metadata.name == "web-servers-old"
    assert policy.spec.fleet.selector.groups == ("Web_Servers (old)",)
    assert str(policy.spec.image) == "web@1.2.3"


def test_the_name_given_comes_first(here: Path) -> None:
    (here / "steadfleet.yaml").write_text(EXAMPLE.read_text())

    assert campaign_name("campaign/api") == "api"
    assert campaign_name(None) == "web-canary"


@pytest.mark.parametrize("text", [None, "", "[", "metadata:", "metadata: {}", "- a"])
def test_no_name_anywhere_is_said(here: Path, text: str | None) -> None:
    if text is not None:
        (here / "steadfleet.yaml").write_text(text)

    with pytest.raises(CommandError, match="which campaign"):
        campaign_name(None)

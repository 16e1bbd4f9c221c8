"""Completion scripts, for both commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steadfleet_cli import schema
from steadfleet_cli.completion import completion_script
from steadfleet_cli.main import steadfleet
from steadfleet_core.kinds import KINDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_completes_both_commands(shell: str) -> None:
    script = completion_script(shell)

    assert "_STEADFLEET_COMPLETE" in script
    assert "_CAMPAIGN_COMPLETE" in script


def test_a_command_is_completed() -> None:
    env = {
        **os.environ,
        "_CAMPAIGN_COMPLETE": "bash_complete",
        "COMP_WORDS": "campaign re",
        "COMP_CWORD": "1",
    }

    said = subprocess.run(
        [Path(sys.executable).with_name("campaign")], env=env, capture_output=True, text=True, check=False
    )

    assert said.stdout.split() == ["plain,reject", "plain,resume", "plain,retry", "plain,report"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_schema_is_the_one_in_docs(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert steadfleet.answer(["schema", kind]) == 0

    assert json.loads(capsys.readouterr().out) == json.loads(Path(f"docs/schema/{kind}.json").read_text())


def test_every_kind_of_the_rules_has_a_schema() -> None:
    assert KINDS.keys() <= schema.KINDS.keys()

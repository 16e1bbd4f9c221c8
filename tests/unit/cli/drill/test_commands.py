"""The drill commands: each is there, its help is quick, and the page names no other."""

import re
import subprocess
import sys
from pathlib import Path

import click

from steadfleet_cli.main import drill, drill_schedule

PAGE = Path("docs/drills.md").read_text()


def test_every_summary_is_said_of_a_command_that_exists() -> None:
    for group in (drill, drill_schedule):
        assert all(isinstance(group.load(name), click.Command) for name in group.table)


def test_no_help_loads_anything_heavy() -> None:
    code = (
        "import sys; from steadfleet_cli.main import drill, drill_schedule, steadfleet\n"
        "for name in drill.table:\n"
        "    assert steadfleet.answer(['drill', name, '--help']) == 0\n"
        "for name in drill_schedule.table:\n"
        "    assert steadfleet.answer(['drill', 'schedule', name, '--help']) == 0\n"
        "heavy = ('temporalio', 'pydantic', 'rich', 'cryptography', 'boto3')\n"
        "print([name for name in heavy if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.splitlines()[-1] == "[]"


def test_each_command_that_the_page_names_exists() -> None:
    named = set(re.findall(r"steadfleet drill ([a-z]+)", PAGE))

    assert named <= set(drill.table)
    assert {"plan", "preflight", "run", "report", "schedule"} <= named

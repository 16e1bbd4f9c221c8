"""The image commands: each is there, and its help is quick."""

import subprocess
import sys

import click

from steadfleet_cli.main import image


def test_every_summary_is_said_of_a_command_that_exists() -> None:
    assert all(isinstance(image.load(name), click.Command) for name in image.table)


def test_no_help_loads_anything_heavy() -> None:
    code = (
        "import sys; from steadfleet_cli.main import image, steadfleet\n"
        "for name in image.table:\n"
        "    assert steadfleet.answer(['image', name, '--help']) == 0\n"
        "heavy = ('temporalio', 'pydantic', 'rich', 'cryptography', 'boto3')\n"
        "print([name for name in heavy if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.splitlines()[-1] == "[]"

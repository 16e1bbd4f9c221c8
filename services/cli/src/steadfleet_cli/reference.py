"""`docs/cli.md`, made from the commands themselves: `python -m steadfleet_cli.reference > docs/cli.md`."""

from collections.abc import Iterator

import click

from steadfleet_cli.exits import MEANINGS
from steadfleet_cli.lazy import LazyGroup
from steadfleet_cli.main import campaign, steadfleet

_WIDTH = 100
_OPENING = """\
# The command line

Two scripts: `steadfleet`, and `campaign`, which is `steadfleet campaign`. Both find Temporal by its own
configuration: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, the TLS variables, or a profile
in `temporal.toml`. This page is made from the commands; a test fails when it is stale
(`python -m steadfleet_cli.reference > docs/cli.md`).

- `plan` and `start` read `./steadfleet.yaml`; the `NAME` of other commands is by default the one in there.
  `steadfleet image build` reads `./image.yaml` and the files that it names:
  [`golden-images.md`](golden-images.md).
- `steadfleet drill` reads `./drill.yaml`: [`drills.md`](drills.md). Its `NAME|ID` is a plan's name, for the
  newest drill of it, or the id of one drill.
- `steadfleet image verify --bundle …` needs no Temporal, no cloud and no network.
- `--output json` prints one JSON document on stdout. Errors are one line and the next step on stderr, or
  with `--output json` `{"error": …, "next": …}`. `STEADFLEET_DEBUG=1` shows where an unexpected error arose.
- Links to the web UI begin with `TEMPORAL_UI_URL`; for an engine on this machine with `STEADFLEET_UI_URL`,
  by default `http://127.0.0.1:8233`.
- Names given by `--as` are claims: Temporal proves only that somebody may write.
- `campaign pause` reaches the whole tree. The *Pause* button of Temporal's web UI does not: it leaves the
  waves running, and the campaign then answers nothing until it is unpaused there.
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([_OPENING, *_exit_codes(), *_commands()])


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n\n| code | meaning |\n| --- | --- |"
    yield from (f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())
    yield (
        "\nA campaign that did not succeed was aborted, rejected, rolled back, refused, or has failed; "
        "an image that did not was aborted or has failed; a drill that did not has failed, is not proven, "
        "was aborted or refused. A tabletop proves nothing: it succeeds where nothing blocks.\n"
    )


def _commands() -> Iterator[str]:
    yield from _helps(steadfleet, "steadfleet", skip={"campaign"})
    yield from _helps(campaign, "campaign", skip=set())


def _helps(command: click.Command, path: str, skip: set[str]) -> Iterator[str]:
    yield f"## `{path}`\n\n```\n{help_of(command, path)}\n```\n"
    if isinstance(command, LazyGroup):
        for name in command.table:
            if name not in skip:
                yield from _helps(command.load(name), f"{path} {name}", skip)


def help_of(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, max_content_width=_WIDTH, terminal_width=_WIDTH)
    return command.get_help(context)


if __name__ == "__main__":
    click.echo(reference(), nl=False)

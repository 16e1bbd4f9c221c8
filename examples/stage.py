"""What the demonstrations stand on: a stack of their own, the real commands, and the cloud's own record."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
RUNS = HERE.parent / ".run"
COMMANDS = Path(sys.executable).parent
SUCCEEDED, REFUSED, NOT_SUCCEEDED = 0, 3, 6
NOTICED_WITHIN = "15s"


class DemoError(Exception):
    """Something did not go as it must."""


@contextmanager
def stack(run_dir: Path, *words: str, keep: bool) -> Iterator[dict[str, str]]:
    """Run `steadfleet up` with these words on free ports; give the environment of commands that use it."""
    signal.signal(signal.SIGTERM, _leave)
    place = ("--run-dir", str(run_dir))
    env = {**os.environ, "STEADFLEET_HEARTBEAT_TIMEOUT": NOTICED_WITHIN}
    try:
        run("steadfleet", "up", "--free-ports", *words, *place, env=env)
        told = json.loads(run("steadfleet", "up", *words, *place, "--output", "json", quiet=True))
        print(f"Temporal's web UI: {told['ui']}")
        yield {**env, **told["environment"]}
    except BaseException as error:
        if not keep:
            run("steadfleet", "down", *place, quiet=True)
        if isinstance(error, Exception):
            print(f"logs: {run_dir}", file=sys.stderr)
        elif not keep:  # Ctrl-C
            shutil.rmtree(run_dir)
        raise
    if keep:
        print(f"left running: {told['ui']}\nsource {run_dir}/env")
        print(f"in the end: steadfleet down --run-dir {run_dir}")
        return
    run("steadfleet", "down", *place, quiet=True)
    shutil.rmtree(run_dir)


def run(
    command: str,
    *words: str,
    env: Mapping[str, str] | None = None,
    quiet: bool = False,
    folder: Path | None = None,
    ends_with: int = SUCCEEDED,
) -> str:
    """Run a command and return what it printed; raise if it ended otherwise."""
    if not quiet:
        print(f"$ {command} {' '.join(words)}", flush=True)
    ran = subprocess.run(
        [COMMANDS / command, *words],
        env=env,
        cwd=folder,
        stdout=subprocess.PIPE if quiet else None,
        text=True,
        check=False,
    )
    expect(
        ran.returncode == ends_with,
        f"`{command} {words[0]}` ended with {ran.returncode}" + (f", not {ends_with}" if ends_with else ""),
    )
    return (ran.stdout or "").strip()


def ask(what: str, env: Mapping[str, str]) -> Any:
    """Ask the local cloud what it has recorded, or what it holds."""
    with closing(HTTPConnection(env["AWS_ENDPOINT_URL"].removeprefix("http://"), timeout=30)) as connection:
        connection.request("GET", f"/_local/{what}")
        return json.loads(connection.getresponse().read())


def expect(fulfilled: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not fulfilled:
        raise DemoError(otherwise)


def say(sentence: str) -> None:
    print(f"\n== {sentence}", flush=True)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)

"""A good release and a bad one, rolled out to a fleet of 24 on this machine. `make demo` runs it.

Everything is real, and small: Temporal's own server, an AWS API of this machine with a process
behind every instance, the worker, and the commands that you would type. Nothing else is touched,
and all of it is stopped at the end; `--keep` leaves it running, to look around.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from receipt import Receipt, count_receipt

HERE = Path(__file__).resolve().parent
COMMANDS = Path(sys.executable).parent
RUN_DIR = HERE.parent / ".run" / f"demo-{os.getpid()}"
HOSTS = 24
RELEASES = {"1.0.0": "good-1.0", "2.0.0": "good-2.0", "3.0.0": "bad-500"}
SUCCEEDED, NOT_SUCCEEDED = 0, 6
LAUNCHED_WITHIN = 60.0
NOTICED_WITHIN = "15s"


def main() -> None:
    began = time.monotonic()
    with stack(keep="--keep" in sys.argv) as env:
        say("A fleet of 24 hosts in three zones runs release 1.0.0")
        images = {version: register(version, folder, env) for version, folder in RELEASES.items()}
        run(
            "local-cloud", "fleet", "create", "web", "--image", images["1.0.0"], "--size", str(HOSTS), env=env
        )
        before = ask("inventory", env)
        mark = ask("record", env)[-1]["seq"]

        good_release(env)
        bad_release(images["3.0.0"], mark, env)

        receipt = count_receipt(ask(f"record?since={mark}", env), before, ask("inventory", env))
        show(receipt, time.monotonic() - began)


def good_release(env: dict[str, str]) -> None:
    say("Act 1, a good release: one host first, then a quarter, then all; a few seconds of bake each")
    with campaign("start", "canary", "--yes", "--watch", env=env) as watched:
        ended = watched.wait()
    expect(ended == SUCCEEDED, f"the good release should succeed; `campaign start` ended with {ended}")


def bad_release(image: str, mark: int, env: dict[str, str]) -> None:
    say("Act 2, a bad release: 3.0.0 answers every request with status 500")
    with campaign("start", "canary", "--image", "web@3.0.0", "--name", "web-3", "--yes", env=env) as start:
        expect(start.wait() == SUCCEEDED, "the bad release should start: nobody knows yet that it is bad")
    with campaign("watch", "web-3", env=env) as watched:
        instance = await_launch(image, mark, env)
        say(f"{instance} is launched for the canary: now the worker is killed, and started again")
        os.kill(worker_pid(), signal.SIGKILL)
        run("steadfleet", "up", "--run-dir", str(RUN_DIR), env=env)
        say(f"Temporal notices within {NOTICED_WITHIN} (by default 30s); then another attempt takes over")
        ended = watched.wait()
    expect(ended == NOT_SUCCEEDED, f"the bad release should not succeed; `campaign watch` ended with {ended}")


def await_launch(image: str, mark: int, env: dict[str, str]) -> str:
    """Wait until the platform's own record shows that a machine of this image has booted."""
    deadline = time.monotonic() + LAUNCHED_WITHIN
    while time.monotonic() < deadline:
        for entry in ask(f"record?since={mark}", env):
            mark = entry["seq"]
            if entry["kind"] == "machine" and entry["event"] == "booted" and entry["image"] == image:
                return str(entry["instance"])
        time.sleep(0.1)
    raise DemoError(f"no machine of {image} was launched within {LAUNCHED_WITHIN:g} s")


def show(receipt: Receipt, took: float) -> None:
    say("Counted from the platform's own record of calls, tags and machines:")
    print(f"\n  {receipt}\n")
    for sentence in (*receipt.doubles, *receipt.residue):
        print(f"  ! {sentence}")
    wanted = Receipt(changed=HOSTS, failed=1, restored=1, doubles=(), residue=())
    expect(receipt == wanted, f"expected {wanted}")
    print(f"as it must be, in {took:.0f} s")


@contextmanager
def stack(*, keep: bool) -> Iterator[dict[str, str]]:
    """Run engine, local cloud and worker on free ports; give the environment of commands that use them."""
    signal.signal(signal.SIGTERM, _leave)
    place = ("--run-dir", str(RUN_DIR))
    env = {**os.environ, "STEADFLEET_HEARTBEAT_TIMEOUT": NOTICED_WITHIN}
    try:
        run("steadfleet", "up", "--free-ports", *place, env=env)
        told = json.loads(run("steadfleet", "up", *place, "--output", "json", quiet=True))
        print(f"Temporal's web UI: {told['ui']}")
        yield {**env, **told["environment"]}
    except BaseException as error:
        if not keep:
            run("steadfleet", "down", *place, quiet=True)
        if isinstance(error, Exception):
            print(f"logs: {RUN_DIR}", file=sys.stderr)
        elif not keep:  # Ctrl-C
            shutil.rmtree(RUN_DIR)
        raise
    if keep:
        print(f"left running: {told['ui']}\nsource {RUN_DIR}/env")
        print(f"in the end: steadfleet down --run-dir {RUN_DIR}")
        return
    run("steadfleet", "down", *place, quiet=True)
    shutil.rmtree(RUN_DIR)


class DemoError(Exception):
    """Something did not go as it must."""


def register(version: str, folder: str, env: dict[str, str]) -> str:
    tags = ("--tag", "steadfleet:family=web", "--tag", f"steadfleet:version={version}")
    content = str(HERE / "web" / folder)
    return run(
        "local-cloud", "image", "register", f"web-{version}", "--from", content, *tags, env=env, quiet=True
    )


@contextmanager
def campaign(*words: str, env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a campaign command where the policy lies, as you would; it prints for itself."""
    print(f"$ campaign {' '.join(words)}", flush=True)
    with subprocess.Popen([COMMANDS / "campaign", *words], env=env, cwd=HERE / "demo") as process:
        try:
            yield process
        finally:
            process.kill()  # of a command that has ended, nothing


def run(command: str, *words: str, env: dict[str, str] | None = None, quiet: bool = False) -> str:
    """Run a command and return what it printed; raise if it failed."""
    if not quiet:
        print(f"$ {command} {' '.join(words)}", flush=True)
    ran = subprocess.run(
        [COMMANDS / command, *words], env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    expect(ran.returncode == 0, f"`{command} {words[0]}` ended with {ran.returncode}")
    return ran.stdout.strip()


def ask(what: str, env: dict[str, str]) -> Any:
    """Ask the local cloud what it has recorded, or what it holds."""
    with closing(HTTPConnection(env["AWS_ENDPOINT_URL"].removeprefix("http://"), timeout=30)) as connection:
        connection.request("GET", f"/_local/{what}")
        return json.loads(connection.getresponse().read())


def worker_pid() -> int:
    return int(json.loads((RUN_DIR / "worker.pid").read_text())["pid"])


def expect(fulfilled: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not fulfilled:
        raise DemoError(otherwise)


def say(sentence: str) -> None:
    print(f"\n== {sentence}", flush=True)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        main()
    except DemoError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

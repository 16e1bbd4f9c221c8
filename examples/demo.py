"""A good release and a bad one, rolled out to a fleet of 24 on this machine. `make demo` runs it.

Everything is real, and small: Temporal's own server, an AWS API of this machine with a machine
behind every instance, the workers, and the commands that you would type. Nothing else is touched,
and all of it is stopped at the end; `--keep` leaves it running, to look around.

Where a Docker engine and packer are there, machines are containers, and the demo begins with the
template: the good release is an image that packer built, tried, signed and published. Without them
machines are processes, and images are made from folders.
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
from http import HTTPStatus
from http.client import HTTPConnection

from receipt import Inventory, Receipt, count_receipt
from stage import (
    COMMANDS,
    HERE,
    NOT_SUCCEEDED,
    NOTICED_WITHIN,
    REFUSED,
    RUNS,
    SUCCEEDED,
    DemoError,
    ask,
    expect,
    run,
    say,
    stack,
)

RUN_DIR = RUNS / f"demo-{os.getpid()}"
HOSTS = 24
RELEASES = {"1.0.0": "good-1.0", "2.0.0": "good-2.0", "3.0.0": "bad-500"}
COPIED = ("images", "snapshots")
REGIONS = ("eu-west-1", "eu-central-1")
LAUNCHED_WITHIN = 60.0


def main() -> None:
    missing = [] if "--processes" in sys.argv else missing_for_images()
    building = not missing and "--processes" not in sys.argv
    if missing:
        print(f"{', '.join(missing)} is missing, so images are made from folders and machines are processes")
    machines = ("--machines", "docker" if building else "process")
    with stack(RUN_DIR, *machines, keep="--keep" in sys.argv) as env:
        began = time.monotonic()
        if building:
            golden_image(env)
        campaigns(env, signed=building)
        print(f"as it must be, in {time.monotonic() - began:.0f} s")


def missing_for_images() -> list[str]:
    """Name what an image cannot be built without: an engine that answers, packer, and a base image."""
    programs = [name for name in ("docker", "packer", "mmdebstrap") if shutil.which(name) is None]
    if (
        "docker" not in programs
        and subprocess.run(("docker", "info"), capture_output=True, check=False).returncode
    ):
        programs.append("a Docker engine that answers")
    return programs


def golden_image(env: dict[str, str]) -> None:
    say(
        "Act 1, a golden image: packer builds release 2.0.0; tried on a fresh machine, signed, in two regions"
    )
    before = ask("inventory", env)
    run("steadfleet", "image", "build", "-f", "web-image.yaml", "--wait", env=env, folder=HERE)
    left = left_by_build(before, ask("inventory", env))
    expect(not left, f"the build should leave its two images alone, and left {'; '.join(left)}")
    print("the platform's own inventory: two images with their snapshots, and nothing else is left")


def left_by_build(before: Inventory, after: Inventory) -> list[str]:
    """Name what is there after a build and was not before, but for one image and snapshot a region."""
    new = {
        kind: [one for one in after[kind] if one["id"] not in {was["id"] for was in before.get(kind, [])}]
        for kind in after
        if kind not in {"buckets", "objects", "content"}
    }
    left = [f"{kind} {one['id']}" for kind, found in new.items() for one in found if kind not in COPIED]
    wrong = [f"{len(new[kind])} {kind}" for kind in COPIED if len(new[kind]) != len(REGIONS)]
    return left + wrong


def campaigns(env: dict[str, str], *, signed: bool) -> None:
    say("A fleet of 24 hosts in three zones runs release 1.0.0")
    made = {v: folder for v, folder in RELEASES.items() if not (signed and v == "2.0.0")}
    images = {version: register(version, folder, env) for version, folder in made.items()}
    run(
        "local-cloud",
        "fleet",
        "create",
        "web",
        "--image",
        images["1.0.0"],
        "--size",
        str(HOSTS),
        env=env,
        quiet=True,
    )
    await_fleet(env)
    before = ask("inventory", env)
    mark = ask("record", env)[-1]["seq"]

    if signed:
        unsigned_release(env)
    good_release(env, signed=signed)
    bad_release(images["3.0.0"], mark, env)

    show(count_receipt(ask(f"record?since={mark}", env), before, ask("inventory", env)))


def await_fleet(env: dict[str, str]) -> None:
    """Wait until every host answers: a fleet that is still booting would be refused as unhealthy."""
    deadline = time.monotonic() + LAUNCHED_WITHIN
    waiting = {machine["address"] for machine in ask("machines", env)}
    while waiting:
        expect(time.monotonic() < deadline, f"{len(waiting)} hosts do not answer: {', '.join(waiting)}")
        waiting = {address for address in waiting if not answers(address)}
    print(f"{HOSTS} hosts answer")


def answers(address: str) -> bool:
    with closing(HTTPConnection(address, 8080, timeout=2)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except OSError:
            time.sleep(0.1)
            return False


def signed_policy() -> str:
    """Demand of the demo's own policy that the image is signed."""
    text = (HERE / "demo" / "steadfleet.yaml").read_text()
    policy = RUN_DIR / "signed.yaml"
    policy.write_text(text.replace("    version: 2.0.0\n", "    version: 2.0.0\n    signed: true\n"))
    return str(policy)


def unsigned_release(env: dict[str, str]) -> None:
    say("A release that nobody signed, under a policy with `signed: true`: refused before a host is touched")
    words = ("start", "canary", "-f", signed_policy(), "--image", "web@3.0.0", "--name", "web-unsigned")
    with campaign(*words, "--yes", env=env) as start:
        ended = start.wait()
    expect(ended == REFUSED, f"an unsigned image should be refused; `campaign start` ended with {ended}")


def good_release(env: dict[str, str], *, signed: bool) -> None:
    say("A good release: one host first, then a quarter, then all; a few seconds of bake each")
    policy = ("-f", signed_policy()) if signed else ()
    with campaign("start", "canary", *policy, "--yes", "--watch", env=env) as watched:
        ended = watched.wait()
    expect(ended == SUCCEEDED, f"the good release should succeed; `campaign start` ended with {ended}")


def bad_release(image: str, mark: int, env: dict[str, str]) -> None:
    say("A bad release: 3.0.0 answers every request with status 500")
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


def show(receipt: Receipt) -> None:
    say("Counted from the platform's own record of calls, tags and machines:")
    print(f"\n  {receipt}\n")
    for sentence in (*receipt.doubles, *receipt.residue):
        print(f"  ! {sentence}")
    wanted = Receipt(changed=HOSTS, failed=1, restored=1, doubles=(), residue=())
    expect(receipt == wanted, f"expected {wanted}")


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


def worker_pid() -> int:
    return int(json.loads((RUN_DIR / "worker.pid").read_text())["pid"])


if __name__ == "__main__":
    try:
        main()
    except DemoError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

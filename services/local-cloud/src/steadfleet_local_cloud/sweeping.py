"""
Remove everything that a local cloud made in a Docker engine, when its server is gone.

A process of its own, standard library only: it waits for the end of stdin, which is also what a
SIGKILL of the server looks like from here. A server that ends in order says so with a line first.
Run by the server as a script: `python -S -E sweeping.py DOCKER CLOUD`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

_LABEL = "local-cloud"
_CALL_TIME = 120.0
_ROUNDS = 5
_SETTLE_TIME = 2.0


def main() -> None:
    """Wait for the server's end, then remove what it made."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the server decides when its machines end
    in_order = sys.stdin.buffer.read()
    sweep(sys.argv[1], sys.argv[2])
    if not in_order:
        time.sleep(_SETTLE_TIME)  # a call that the dying server had begun may just have made a machine
    if left := sweep(sys.argv[1], sys.argv[2]):
        sys.exit(f"of local cloud {sys.argv[2]} there is left: {', '.join(left)}")


def sweep(docker: str, cloud: str) -> list[str]:
    """
    Remove a cloud's machines, networks and images; what is left in the end.

    In rounds: an image goes only after those that were made from it.
    """
    for _ in range(_ROUNDS):
        found = _find(docker, cloud)
        if not any(found.values()):
            return []
        for removal, names in found.items():
            if names:
                _call(docker, *removal.split(), *names)
    return [name for names in _find(docker, cloud).values() for name in names]


def _find(docker: str, cloud: str) -> dict[str, list[str]]:
    label = f"label={_LABEL}={cloud}"
    return {
        "rm --force --volumes": _call(docker, "ps", "--all", "--quiet", "--filter", label),
        "network rm": _call(docker, "network", "ls", "--quiet", "--filter", label),
        "image rm --force": sorted(set(_call(docker, "images", "--quiet", "--filter", label))),
    }


def _call(docker: str, *arguments: str) -> list[str]:
    try:
        done = subprocess.run(  # noqa: S603 - the server's own docker
            [docker, *arguments], capture_output=True, text=True, timeout=_CALL_TIME, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split()


if __name__ == "__main__":
    main()

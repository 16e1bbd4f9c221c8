"""Leaving at once loses nothing that was said."""

import subprocess
import sys

PROGRAM = """
import logging, sys
from steadfleet_durable import configure_logs, exit_now, get_logger
configure_logs()
print("answer")
get_logger("x").info("said")
exit_now(3)
"""

FAILING = """
from steadfleet_durable import run_service
async def serve():
    raise RuntimeError("broken")
run_service(serve())
"""


def test_exit_now_flushes_and_gives_the_code() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "answer\n")
    assert '"event": "said"' in ended.stderr


def test_a_service_that_fails_says_why_and_leaves_with_1() -> None:
    ended = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert '"exc_value": "broken"' in ended.stderr

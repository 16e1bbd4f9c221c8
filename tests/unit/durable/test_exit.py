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


def test_exit_now_flushes_and_gives_the_code() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "answer\n")
    assert '"event": "said"' in ended.stderr

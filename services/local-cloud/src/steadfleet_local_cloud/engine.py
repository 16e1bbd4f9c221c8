"""The Docker engine: python-on-whales, and the few calls that it has no words for."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import timedelta

from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from steadfleet_local_cloud.errors import EngineError

_ANSWER_TIME = 10.0
_CALL_TIME = timedelta(minutes=2)


@dataclass(frozen=True)
class Done:
    """What a call of the client came to; no exit code means that it was given up when its time was over."""

    exit_code: int | None
    stdout: str
    stderr: str


class Engine:
    """A Docker engine that answered."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.docker = DockerClient(client_call=[program])

    @classmethod
    def connect(cls) -> Engine:
        """Find an engine that answers, or say why there is none."""
        program = shutil.which("docker")
        if program is None:
            raise EngineError(f"there is no `docker` command: install Docker, {_OR_ELSE}")
        engine = cls(program)
        try:
            done = engine.call("version", "--format", "{{.Server.Os}}", time_limit=_ANSWER)
        except OSError as error:
            raise EngineError(
                f"{program} cannot be run ({error}): install Docker anew, {_OR_ELSE}"
            ) from error
        if done.exit_code != 0:
            said = done.stderr.strip().splitlines()
            reason = said[-1] if said else f"no answer in {_ANSWER_TIME:.0f} s"
            raise EngineError(f"no Docker engine answers ({reason}): start it, {_OR_ELSE}")
        if done.stdout.strip() != "linux":
            raise EngineError(f"the Docker engine runs {done.stdout.strip()} machines, not Linux: {_OR_ELSE}")
        return engine

    def call(self, *arguments: str, stdin: str = "", time_limit: timedelta = _CALL_TIME) -> Done:
        """Run one command of the client, whatever its exit code."""
        try:
            done = subprocess.run(  # noqa: S603 - the program was found on the user's own PATH
                [self.program, *arguments],
                input=stdin.encode(),
                capture_output=True,
                timeout=time_limit.total_seconds(),
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return Done(None, _text(late.stdout), _text(late.stderr))
        return Done(done.returncode, _text(done.stdout), _text(done.stderr))


_ANSWER = timedelta(seconds=_ANSWER_TIME)
_OR_ELSE = "or choose machines that need no Docker with --machines process"


def sentence(error: DockerException) -> str:
    """Say in one line what the engine said."""
    said = (error.stderr or str(error)).strip().splitlines()
    return said[-1] if said else f"exit code {error.return_code}"


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")

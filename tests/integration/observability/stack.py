"""The stack of `steadfleet up`, with a fleet of four and a policy: watched, scraped and traced."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from steadfleet_cli.parts import WORKERS, Addresses, ask
from steadfleet_cli.processes import Process, Processes

COMMANDS = Path(sys.executable).parent
RELEASES = Path(__file__).parents[3] / "examples" / "web"
POLICY = """\
apiVersion: steadfleet.dev/v1
kind: PatchPolicy
metadata:
  name: NAME
spec:
  fleet: {name: web, selector: {groups: [web]}}
  image: {id: IMAGE}
  strategy: {type: canary, canary: {steps: [1, 100%]}}
  disruptionBudget: {overall: 50%, perZone: 100%}
  failureTolerance: {hosts: 0}
  healthChecks:
    interval: 1s
    timeout: 2s
    successThreshold: 1
    deadline: 20s
    checks: [{type: http, port: 8080, path: /healthz}]
  bake: {time: 2s, interval: 1s}
  approval: {required: false}
  rollback: {automatic: false}
"""


class Stack:
    def __init__(self, folder: Path, **env: str) -> None:
        foreign = ("TEMPORAL_", "AWS_", "STEADFLEET_", "OTEL_")
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | env

    def run(self, command: str, *words: str, code: int = 0) -> str:
        ran = subprocess.run(
            [COMMANDS / command, *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert ran.returncode == code, f"{command} {' '.join(words)}: {ran.stdout}{ran.stderr}"
        return ran.stdout.strip()

    def up(self, *words: str) -> None:
        told = json.loads(self.run("steadfleet", "up", *words, "--run-dir", "run", "--output", "json"))
        self.env |= told["environment"]

    def down(self) -> None:
        self.run("steadfleet", "down", "--run-dir", "run")

    def image(self, release: str) -> str:
        return self.run(
            "local-cloud", "image", "register", f"web-{release}", "--from", str(RELEASES / release)
        )

    def write_policy(self, name: str, image: str) -> str:
        file = self.folder / f"{name}.yaml"
        file.write_text(POLICY.replace("NAME", name).replace("IMAGE", image))
        return file.name

    def process(self, name: str) -> Process:
        process = Processes(self.folder / "run").find(name)
        assert process is not None, f"{name} does not run"
        return process

    def status(self, campaign: str) -> Any:
        return json.loads(self.run("campaign", "status", campaign, "--output", "json"))

    def metrics(self, worker: str) -> str:
        """Scrape a worker as Prometheus would."""
        addresses = Addresses.read(self.folder / "run" / "stack.json")
        assert addresses is not None
        port = addresses.metrics + list(WORKERS).index(worker)
        return _scraped(f"http://127.0.0.1:{port}/metrics")

    def engine_metrics(self) -> str:
        """Scrape the server inside the embedded engine, which says where."""
        said = (self.folder / "run" / "engine.log").read_text()
        (port,) = re.findall(r"Temporal Metrics: +http://[^:]+:(\d+)/metrics", said)[-1:]
        return _scraped(f"http://127.0.0.1:{port}/metrics")


def _scraped(url: str) -> str:
    status, body = ask(url)
    assert status == 200
    return body.decode()

"""A campaign against the local cloud, with real machines: calls a host, by the platform's own record."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

import demo
from bench import BIN, Row

import stage

HOSTS = 48
POLICY = Path(__file__).with_name("cloud.yaml")


def calls_per_host() -> list[Row]:
    with stage.stack(demo.RUN_DIR, "--machines", "process", keep=False) as env:
        old, _ = (
            demo.register(version, release, env) for version, release in list(demo.RELEASES.items())[:2]
        )
        stage.run(
            "local-cloud", "fleet", "create", "web", "--image", old, "--size", str(HOSTS), env=env, quiet=True
        )
        mark = stage.ask("record", env)[-1]["seq"]
        began = time.perf_counter()
        command: list[str | Path] = [
            BIN / "campaign",
            "start",
            "immediate",
            "-f",
            POLICY,
            "--yes",
            "--wait",
            "--output",
            "json",
        ]
        with tempfile.TemporaryDirectory() as folder:
            ran = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=True)
        took = time.perf_counter() - began
        changed = json.loads(ran.stdout)["status"]["counts"]["changed"]
        calls = [entry for entry in stage.ask(f"record?since={mark}", env) if entry["kind"] == "call"]
    if changed != HOSTS:
        raise RuntimeError(f"{changed} of {HOSTS} hosts were changed")
    changing = sum(call["mutating"] for call in calls) / HOSTS
    fleet = f"{HOSTS} in the local cloud"
    return [
        Row(
            "cloud API calls a changed host",
            fleet,
            f"{len(calls) / HOSTS:.1f}, of which {changing:.1f} change something",
        ),
        Row("hosts/s, real machines, 12 at once", fleet, f"{HOSTS / took:.1f}"),
    ]

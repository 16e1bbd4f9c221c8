"""Run inside of the local cloud's network, as the user of its containers: what needs to reach its machines.

The policy, the plan and the commands are those of the demonstrations.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import demo
import demo_drill
from temporalio.service import RPCError

from receipt import count_receipt
from stage import HERE, ask, run
from steadfleet_cli.parts import Addresses
from steadfleet_durable import EngineError, connect

HOSTS = 12
SECRETS = Path(os.environ["SECRETS"])


def environment() -> dict[str, str]:
    """Return what an operator is told, as the containers name and number things."""
    holder = SECRETS / "operator"
    return {
        **os.environ,
        **Addresses().environment,
        "TEMPORAL_ADDRESS": "temporal:7233",
        "TEMPORAL_NAMESPACE": "steadfleet",
        "TEMPORAL_TLS": "true",
        "TEMPORAL_TLS_SERVER_NAME": "temporal",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(holder / "ca.crt"),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(holder / "tls.crt"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(holder / "tls.key"),
        "STEADFLEET_API_KEY_FILE": str(holder / "token"),
        "STEADFLEET_PAYLOAD_KEYS": str(SECRETS / "payload-keys"),
    }


def fleet(env: dict[str, str]) -> None:
    """Make the releases, and a fleet of the first one."""
    images = {version: demo.register(version, demo.RELEASES[version], env) for version in ("1.0.0", "2.0.0")}
    size = ("--size", str(HOSTS))
    run("local-cloud", "fleet", "create", "web", "--image", images["1.0.0"], *size, env=env)
    demo.await_fleet(env)


def campaign(env: dict[str, str], name: str, version: str) -> None:
    """Roll a version out, wait for its end through outages of the engine, and count what was done."""
    before, mark = ask("inventory", env), ask("record", env)[-1]["seq"]
    words = ("start", "canary", "--image", f"web@{version}", "--name", name, "--yes")
    run("campaign", *words, env=env, folder=HERE / "demo")
    state = asyncio.run(ended(env, name))
    receipt = count_receipt(ask(f"record?since={mark}", env), before, ask("inventory", env))
    sys.stdout.write(json.dumps({"state": state, "receipt": str(receipt)}) + "\n")


async def ended(env: Mapping[str, str], name: str) -> str:
    while True:
        with suppress(RPCError, EngineError):
            client = await connect(env=env)
            report: dict[str, Any] = await client.get_workflow_handle(f"campaign/{name}").result()
            return str(report["status"]["state"])
        await asyncio.sleep(0.5)


def drill(env: dict[str, str]) -> None:
    demo_drill.RUN_DIR = SECRETS / "witness"  # where the witness finds its ledgers
    demo_drill.PAGE = Path(os.environ["TMPDIR"]) / "drill-report.html"
    demo_drill.make_production(env)
    demo_drill.tell(demo_drill.rehearse(env))
    (demo_drill.RUN_DIR / "ledgers.yaml").write_text("ledgers: []\n")


if __name__ == "__main__":
    os.environ.update(environment())
    parts: dict[str, Callable[..., None]] = {"fleet": fleet, "campaign": campaign, "drill": drill}
    parts[sys.argv[1]](dict(os.environ), *sys.argv[2:])

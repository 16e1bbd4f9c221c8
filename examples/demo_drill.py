"""A disaster recovery drill on this machine, from the plan to its verdicts. `make demo-drill` runs it.

A shop with its database stands in one region of a local cloud, and its backup in another. The drill
recovers a copy there, measures by a witness of its own how long that took and what was lost, and takes
everything away again. Then the cloud's own inventory is compared: nothing may be left. All of it is
stopped at the end but for the report, which stays; `--keep` leaves it running, to look around.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import yaml

from stage import HERE, NOT_SUCCEEDED, RUNS, DemoError, ask, expect, run, say, stack
from steadfleet_core.errors import SteadfleetError
from steadfleet_dr_drill.rehearsal.local_cloud import Inventory, LocalCloud
from steadfleet_dr_drill.rehearsal.production import Production

RUN_DIR = RUNS / f"demo-drill-{os.getpid()}"
PAGE = RUNS / "drill-report.html"
NEEDED = ("engine", "cloud", "driller", "witness", "janitor")
PLAN = HERE / "shop" / "shop.yaml"
MEANWHILE = 20
EVIDENCE = {"buckets", "objects"}
"""What a drill leaves on purpose: its report, and the ledger as the witness sealed it."""
WANTED = {"recovery": "passed", "data": "passed", "cleanup": "passed", "isolation": "not proven"}


def main() -> None:
    words = [word for part in NEEDED for word in ("--only", part)]
    with stack(RUN_DIR, "--machines", "process", *words, keep="--keep" in sys.argv) as env:
        began = time.monotonic()
        make_production(env)
        report = rehearse(env)
        tell(report)
        print(f"as it must be, in {time.monotonic() - began:.0f} s")


def make_production(env: Mapping[str, str]) -> None:
    say("A shop: its database with 500 orders in eu-west-1, its image in eu-central-1")
    shop = Production(LocalCloud(env["AWS_ENDPOINT_URL"]))
    shop.make()
    shop.release("1.0.0")
    ledgers = RUN_DIR / "ledgers.yaml"
    ledgers.write_text(yaml.safe_dump({"ledgers": [shop.ledger("orders", "0.2s")]}, sort_keys=False))
    shop.await_writes(10)
    print(f"the witness follows {ledgers}: every 0.2 s it writes a row, and notes which were acknowledged")

    say("The nightly backup: a snapshot, copied to eu-central-1; and the shop sells on")
    snapshot = shop.back_up()
    shop.sell(MEANWHILE)
    shop.await_writes(10)
    print(f"{snapshot} is in both regions; {MEANWHILE} orders were written since, which it does not hold")


def rehearse(env: Mapping[str, str]) -> dict[str, Any]:
    """Run the drill with the real commands, and hold the cloud's inventories against each other."""
    plan = RUN_DIR / "shop.yaml"
    plan.write_text(PLAN.read_text().replace("http://127.0.0.1:4566", env["AWS_ENDPOINT_URL"]))
    say("The plan: what will be made, in which order, and what is measured")
    run("steadfleet", "drill", "plan", "-f", str(plan), env=env)

    before = ask("inventory", env)
    say("The drill. On one machine isolation cannot be proven, so it must end with 6: not proven")
    run("steadfleet", "drill", "run", "-f", str(plan), "--yes", "--watch", env=env, ends_with=NOT_SUCCEEDED)
    left = left_behind(before, ask("inventory", env))
    expect(not left, f"the drill left {'; '.join(left)}")
    say("The cloud's own inventory, before and after: nothing is left but the evidence of the drill")

    run("steadfleet", "drill", "report", "shop", "--html", str(PAGE), env=env)
    found: dict[str, Any] = json.loads(
        run("steadfleet", "drill", "report", "shop", "--json", env=env, quiet=True)
    )
    return found


def left_behind(before: Inventory, after: Inventory) -> list[str]:
    """Name what is there now and was not, what was changed, and what is gone: production is never touched."""
    told = []
    for kind in sorted({*before, *after} - EVIDENCE):
        was = {str(one["id"]): one for one in before.get(kind, [])}
        is_ = {str(one["id"]): one for one in after.get(kind, [])}
        told += [f"{kind} {name} behind" for name in is_.keys() - was.keys()]
        told += [f"{kind} {name} gone" for name in was.keys() - is_.keys()]
        told += [f"{kind} {name} changed" for name in is_.keys() & was.keys() if is_[name] != was[name]]
    return told


def tell(report: Mapping[str, Any]) -> None:
    status = report["status"]
    say("What it proved")
    for name in WANTED:
        judged = status["judgement"][name]
        print(f"  {name:<10} {judged['verdict']:<11} {'; '.join(judged['reasons'])}")
    print(f"\n  {status['reason']}")
    print(
        "\n  Isolation is not proven, and cannot be here: the machines of this stage are processes of one\n"
        "  host, and production is reached from inside. It is never called green. On AWS, or with Docker\n"
        "  machines, write `isolation: enforced`."
    )
    print(f"\n  the whole story, on one page: {PAGE}")
    found = {name: status["judgement"][name]["verdict"] for name in WANTED}
    expect(found == WANTED, f"expected {WANTED}, not {found}")
    [loss] = status["losses"]
    expect(loss["lost"] > 0, "what was written after the backup should be lost, and counted")


if __name__ == "__main__":
    try:
        main()
    except (DemoError, SteadfleetError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

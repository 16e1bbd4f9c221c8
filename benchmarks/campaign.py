"""What a campaign costs beside the cloud's own time. `make bench` prints the table of README.md.

Up to 1,000 hosts the raw costs are of a fleet in memory, so that they are the engine's and ours;
the calls a host are counted by the local cloud's own record.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from bench import BIN, HEAD, Bench, Row, engine_and_worker, machine, middle, show, timed
from bench_worker import TASK_QUEUE
from cloud_calls import calls_per_host
from memory_fleet import order
from raw import RawCampaign
from temporalio.client import WorkflowHandle

from steadfleet_core.campaign.lifecycle import Request, State
from steadfleet_core.campaign.report import CampaignReport
from steadfleet_durable import exit_now
from steadfleet_workflows.campaign import PatchCampaign

PAIRS = 5
MEMORY = "in memory"
HELP: list[str | Path] = [BIN / "campaign", "--help"]
NOTHING: list[str | Path] = [sys.executable, "-c", "pass"]


async def start(
    bench: Bench, name: str, hosts: int, host_time: float = 0.0, at_once: int = 100
) -> WorkflowHandle[PatchCampaign, CampaignReport]:
    return await bench.client.start_workflow(
        PatchCampaign.run,
        order(name, hosts, host_time, at_once),
        id=f"campaign/{name}",
        task_queue=TASK_QUEUE,
    )


async def run(bench: Bench, name: str, hosts: int, host_time: float = 0.0) -> CampaignReport:
    report = await (await start(bench, name, hosts, host_time)).result()
    if report.status.state is not State.SUCCEEDED or report.status.counts.changed != hosts:
        raise RuntimeError(
            f"{name} did not change all its hosts: {report.status.state} {report.status.counts}"
        )
    return report


async def throughput(bench: Bench) -> list[Row]:
    """Pair each campaign with the engine alone, so that a noisy machine disturbs both.

    A wave's speed is from its first look at the plan to its last host; a campaign also plans,
    reserves, prepares and puts back, which the engine alone has no like of.
    """
    ratios, whole, speeds = [], [], []
    for pair in range(PAIRS + 1):
        raw = partial(bench.client.execute_workflow, RawCampaign.run, args=[1000, 100, 0.0])
        alone = await timed(partial(raw, id=f"raw/{pair}", task_queue=TASK_QUEUE))
        began = time.perf_counter()
        report = await run(bench, f"pair-{pair}", 1000)
        ours = time.perf_counter() - began
        if pair:  # the first warms up
            ratios.append(alone / wave_time(report))
            whole.append(alone / ours)
            speeds.append(1000 / wave_time(report))
    met = statistics.median(ratios) >= 0.85
    return [
        Row("hosts/s of a wave", f"1,000 {MEMORY}", middle(speeds)),
        Row("hosts/s of a wave over the engine alone", f"1,000 {MEMORY}", middle(ratios), "≥ 0.85", met),
        Row("the same, of the whole campaign", f"1,000 {MEMORY}", middle(whole)),
    ]


def wave_time(report: CampaignReport) -> float:
    wave = report.status.waves[0]
    if wave.started_at is None or wave.changed_at is None:
        raise RuntimeError("the wave has no times")
    return (wave.changed_at - wave.started_at).total_seconds()


async def makespan(bench: Bench) -> list[Row]:
    """Hold both against the ideal: what the engine alone cannot reach here, a campaign cannot either."""
    ideal = 1000 * 2.0 / 100
    raw = partial(bench.client.execute_workflow, RawCampaign.run, args=[1000, 100, 2.0])
    alone = await timed(partial(raw, id="raw/makespan", task_queue=TASK_QUEUE)) / ideal
    ours = await timed(partial(run, bench, "makespan", 1000, 2.0)) / ideal
    fleet = f"1,000 {MEMORY}, 2 s each, 100 at once"
    return [
        Row("makespan over ideal", fleet, f"{ours:.3f}", "≤ 1.05", ours <= 1.05),
        Row("the same, of the engine alone", fleet, f"{alone:.3f}"),
    ]


async def actions(bench: Bench) -> list[Row]:
    rows = []
    for hosts in (100, 1000, 10_000):
        before = await bench.settled_actions()
        await run(bench, f"actions-{hosts}", hosts)
        cost = (await bench.settled_actions() - before) / hosts
        rows.append(
            Row(
                "engine actions a host, by the server's counter",
                f"{hosts:,} {MEMORY}",
                f"{cost:.2f}",
                "≤ 1.5",
                cost <= 1.5,
            )
        )
    peak = bench.worker_peak_mib()
    longest = await longest_history(bench, "campaign/actions-10000")
    return [
        *rows,
        Row(
            "worker memory, peak over all of the above",
            f"10,000 {MEMORY}",
            f"{peak:.0f} MiB",
            "≤ 400 MiB",
            peak <= 400,
        ),
        Row("longest history", f"10,000 {MEMORY}", f"{longest:,} events", "< 10,000", longest < 10_000),
    ]


async def longest_history(bench: Bench, campaign: str) -> int:
    executions = [
        execution.id async for execution in bench.client.list_workflows() if execution.id.startswith(campaign)
    ]
    lengths = [
        (await bench.client.get_workflow_handle(name).describe()).history_length for name in executions
    ]
    return max(lengths)


async def five_at_once(bench: Bench) -> list[Row]:
    together = await timed(lambda: asyncio.gather(*(run(bench, f"five-{n}", 200) for n in range(5))))
    alone = await timed(partial(run, bench, "alone", 1000))
    ratio = together / alone
    return [Row("five campaigns of 200 over one of 1,000", MEMORY, f"{ratio:.2f}")]


async def pause_latency(bench: Bench) -> list[Row]:
    """Time from sending `pause` to the start of the last host that began after it."""
    latencies = []
    for number in range(PAIRS):
        campaign = await start(bench, f"pause-{number}", 1000, 0.5, at_once=50)
        while (await campaign.query(PatchCampaign.status)).counts.changed < 50:
            await asyncio.sleep(0.1)
        sent = time.time()
        await campaign.execute_update(PatchCampaign.pause, Request(by="benchmark"))
        while (await campaign.query(PatchCampaign.status)).state is not State.PAUSED:
            await asyncio.sleep(0.1)
        latencies.append(max(await last_start(bench, f"campaign/pause-{number}") - sent, 0.0))
        await campaign.terminate("measured")
    worst = max(latencies)
    return [
        Row(
            "last host started after `pause` was sent",
            f"1,000 {MEMORY}",
            f"{worst:.2f} s (worst of {PAIRS})",
            "≤ 1 s",
            worst <= 1,
        )
    ]


async def last_start(bench: Bench, campaign: str) -> float:
    """Return when the engine recorded the newest order to change a host, in its own time."""
    newest = 0.0
    async for event in bench.client.get_workflow_handle(f"{campaign}/1/0").fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            newest = max(newest, event.event_time.ToDatetime().timestamp())
    return newest


def help_start_up() -> list[Row]:
    """Pair `campaign --help` with an interpreter that does nothing."""
    ratios = []
    for _ in range(11):
        took = []
        for command in (HELP, NOTHING):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            took.append(time.perf_counter() - began)
        ratios.append(took[0] / took[1])
    ratio = statistics.median(ratios)
    return [Row("`campaign --help` over `python -c pass`", "", middle(ratios), "≤ 8", ratio <= 8)]


async def main() -> int:
    print(f"{machine()}; engine in memory\n\n{HEAD}")
    missed = 0
    for rows in [help_start_up(), calls_per_host()]:
        missed += show(rows)
    for measure in (throughput, makespan, actions, five_at_once, pause_latency):
        async with engine_and_worker() as bench:
            missed += show(await measure(bench))
    return missed


if __name__ == "__main__":
    began = time.monotonic()
    asyncio.run(main())
    print(f"\nmeasured in {timedelta(seconds=round(time.monotonic() - began))}")
    exit_now(0)

"""Versions of workers as text, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from steadfleet_cli.output import section, table
from steadfleet_durable.deployments import Deployment, DeploymentProblem, Version
from steadfleet_durable.rollout_order import RolledOut, RolloutOrder
from steadfleet_durable.rollout_prune import Pruned

_HEADING = ("deployment", "version", "state", "new work", "pinned", "polled by")
_NONE = "no versioned worker of ours has polled; workers without a version need none of this"


def versions_text(found: Sequence[Deployment]) -> str:
    rows = [_row(deployment, version) for deployment in found for version in deployment.versions]
    return table([_HEADING, *rows]) if rows else _NONE


def _row(deployment: Deployment, version: Version) -> tuple[str, ...]:
    polled = ", ".join(sorted(version.pollers)) or "nobody"
    if version.pollers and version.unpolled:
        polled += f" (but not {', '.join(map(str, sorted(version.unpolled)))})"
    share = f"{share_of(deployment, version):g} %"
    return (deployment.name, version.build_id, str(version.state), share, str(version.running), polled)


def share_of(deployment: Deployment, version: Version) -> float:
    """Return the percentage of new work that goes to the version."""
    if version.build_id == deployment.ramping:
        return deployment.ramp
    return 100 - deployment.ramp if version.build_id == deployment.current else 0


def status_text(found: Sequence[Deployment], alarms: Sequence[DeploymentProblem]) -> str:
    told = section("ALARM", [line for alarm in alarms for line in (alarm.problem, f"→ {alarm.advice}")])
    return "\n".join([versions_text(found), *(told if alarms else ["", "no alarm"])])


def document(found: Sequence[Deployment]) -> list[dict[str, object]]:
    return [
        {
            "name": deployment.name,
            "current": deployment.current,
            "ramping": deployment.ramping,
            "ramp": deployment.ramp,
            "versions": [_version_document(deployment, version) for version in deployment.versions],
        }
        for deployment in found
    ]


def _version_document(deployment: Deployment, version: Version) -> dict[str, object]:
    return {
        "build_id": version.build_id,
        "state": version.state,
        "share": share_of(deployment, version),
        "pinned": version.running,
        "pollers": sorted(version.pollers),
        "queues": [asdict(queue) for queue in sorted(version.queues)],
        "unpolled": [asdict(queue) for queue in sorted(version.unpolled)],
    }


def status_document(found: Sequence[Deployment], alarms: Sequence[DeploymentProblem]) -> dict[str, object]:
    return {"deployments": document(found), "alarms": [asdict(alarm) for alarm in alarms]}


def stands_text(deployment: Deployment) -> str:
    """Say in a line where new work goes."""
    stands = f"{deployment.current} is current" if deployment.current else "no version is current"
    ramps = f", {deployment.ramping} has {deployment.ramp:g} % of new work" if deployment.ramping else ""
    return f"{deployment.name}: {stands}{ramps}"


def plan_text(order: RolloutOrder, found: Sequence[Deployment], pause: str) -> str:
    known = {deployment.name: deployment for deployment in found}
    lines = [
        f"  {stands_text(known[name]) if name in known else f'{name}: no worker has polled yet'}"
        for name in order.deployments
    ]
    steps = " → ".join(f"{step} %" for step in order.steps)
    return "\n".join(
        [f"build {order.build_id}: {steps}, a pause of {pause} after each, then current", *lines]
    )


def outcome_text(done: Sequence[RolledOut], pruned: Sequence[Pruned] | None) -> str:
    """Say what is left to drain; what became current was said when it did."""
    lines = [
        f"{one.deployment}: {one.before} drains, pinned to it: {one.running}" for one in done if one.before
    ]
    if pruned is not None:
        lines += [_pruned_line(one) for one in pruned] or ["no replaced version is left to delete"]
    return "\n".join(lines or ["no version is left to drain"])


def _pruned_line(one: Pruned) -> str:
    return f"{one.deployment}: {one.build_id} {f'is kept: {one.kept}' if one.kept else 'is deleted'}"


def outcome_document(
    order: RolloutOrder, done: Sequence[RolledOut], pruned: Sequence[Pruned] | None
) -> dict[str, object]:
    return {
        "build_id": order.build_id,
        "deployments": [
            {"name": one.deployment, "before": one.before, "pinned_to_before": one.running} for one in done
        ],
        "pruned": None if pruned is None else [asdict(one) for one in pruned],
    }

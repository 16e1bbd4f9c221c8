"""Who polls, and whether what polls is given new work."""

from collections.abc import Mapping

from temporalio.client import Client

from steadfleet_cli.doctor.findings import Finding, Standing
from steadfleet_cli.engine import CAMPAIGNS, DRILLS, IMAGES, JANITOR, SIGNER, WITNESS, Service, pollers_of
from steadfleet_durable import deployment_problem
from steadfleet_durable.deployments import deployments, problems_of

SERVICES: Mapping[str, tuple[Service, Standing]] = {
    "worker": (CAMPAIGNS, Standing.MISSING),
    "janitor": (JANITOR, Standing.MISSING),  # no campaign begins without its lease
    "builder": (IMAGES, Standing.OPTIONAL),
    "signer": (SIGNER, Standing.OPTIONAL),
    "driller": (DRILLS, Standing.OPTIONAL),
    "witness": (WITNESS, Standing.OPTIONAL),
}
"""The workers, and what it means that one does not poll: images and drills are not everybody's."""


async def workers(client: Client, env: Mapping[str, str]) -> list[Finding]:
    return [await _worker(client, env, name) for name in SERVICES]


async def versions(client: Client) -> Finding:
    """Look for versions that have work and no worker, and deployments of ours without a current version."""
    name = "worker versions"
    ours = await deployments(client, frozenset(service.task_queue for service, _ in SERVICES.values()))
    problems = [problem for deployment in ours for problem in problems_of(deployment)]
    if problems:
        found, advice = "; ".join(one.problem for one in problems), "; ".join(one.advice for one in problems)
        return Finding(name, Standing.MISSING, found, advice)
    if not ours:
        advice = (
            "TEMPORAL_DEPLOYMENT_NAME, TEMPORAL_WORKER_BUILD_ID: waves then end on the code they began with"
        )
        return Finding(name, Standing.OPTIONAL, "none: the workers are not versioned", advice)
    current = ", ".join(f"{one.name} {one.current}" for one in ours)
    return Finding(name, Standing.OK, f"current: {current}; each version that has work is polled")


async def _worker(client: Client, env: Mapping[str, str], name: str) -> Finding:
    service, absent = SERVICES[name]
    pollers, queue = await pollers_of(client, service), service.task_queue
    if not pollers:
        advice = f"`steadfleet up`, or start {service.program} where it may reach engine and cloud"
        return Finding(name, absent, f"nobody polls task queue {queue}", advice)
    deployments = {poller.deployment_options.deployment_name for poller in pollers} - {""}
    deployments |= {said} if (said := env.get("TEMPORAL_DEPLOYMENT_NAME")) and name == "worker" else set()
    for deployment in sorted(deployments):
        if problem := await deployment_problem(client, deployment):
            return Finding(name, Standing.MISSING, "polls, but is given no new work", problem)
    return Finding(name, Standing.OK, f"{', '.join(sorted({p.identity for p in pollers}))} on {queue}")

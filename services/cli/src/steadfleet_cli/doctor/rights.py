"""What each worker may not do in the cloud, in the words of its own look."""

from steadfleet_cli.doctor.findings import Finding, Standing
from steadfleet_ports.access import Access, AccessQuestion
from steadfleet_workflows.access import AccessReport, Look

NAMES = ("cloud rights", "build rights", "drill rights", "janitor's rights")
_POLICY = "attach the policy of docs/aws.md to its role"


def rights(report: AccessReport, question: AccessQuestion) -> list[Finding]:
    """Return one finding a worker; a look that was not asked for, or could not be, is unknown."""
    return [
        _cloud_rights(report),
        _others_rights("build rights", report.builds, "image-build"),
        _others_rights("drill rights", report.drills, "dr-drill"),
        _janitors_rights(report, asked=question.janitor),
    ]


def _cloud_rights(report: AccessReport) -> Finding:
    name = "cloud rights"
    if report.access is None:
        return Finding(name, Standing.UNKNOWN, "the look failed, as above")
    return _found(name, report.access, "the campaign worker's dry runs are allowed")


def _others_rights(name: str, look: Look | None, worker: str) -> Finding:
    if look is None:
        return Finding(name, Standing.UNKNOWN, f"not known while no {worker} worker polls")
    if look.earlier:
        advice = "start this release of it beside, and ask again"
        return Finding(name, Standing.UNKNOWN, f"the {worker} worker is of an earlier release", advice)
    if look.access is None:
        return Finding(name, Standing.MISSING, look.problem, f"read the log of the {worker} worker")
    where = ", ".join(look.access.regions)
    return _found(
        name, look.access, f"what has a dry run or a harmless look is allowed in {where}", store=True
    )


def _janitors_rights(report: AccessReport, *, asked: bool) -> Finding:
    name = "janitor's rights"
    if not asked or report.access is None:
        return Finding(
            name, Standing.UNKNOWN, "not known while no janitor polls, or the worker's look failed"
        )
    if report.janitor_problem:
        return Finding(name, Standing.MISSING, report.janitor_problem, "read the log of the janitor")
    if report.janitor_refused:
        return Finding(name, Standing.MISSING, "; ".join(report.janitor_refused), _POLICY)
    return Finding(name, Standing.OK, "its deletes are allowed, as dry runs")


def _found(name: str, access: Access, good: str, *, store: bool = False) -> Finding:
    """`store` also tells the bucket's problem, which has a finding of its own for the campaign worker."""
    problems = (access.store_problem,) if store and access.store_problem else ()
    if refused := (*problems, *access.refused):
        return Finding(name, Standing.MISSING, "; ".join((*refused, *access.unclear)), _POLICY)
    if access.unclear:
        advice = "that says neither yes nor no: what it is about, its code says"
        return Finding(name, Standing.WARNING, "; ".join(access.unclear), advice)
    return Finding(name, Standing.OK, good)

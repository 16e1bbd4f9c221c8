"""A plan as a person reads it before anything is touched."""

from collections.abc import Iterator, Mapping

from steadfleet_cli.output import section, table
from steadfleet_core.campaign.plan import Plan, Preview
from steadfleet_core.campaign.policy import PatchPolicy

SHORT = 12


def short(digest: str) -> str:
    """Return as much of a digest as `approve --plan` needs."""
    return digest.removeprefix("sha256:")[:SHORT]


def hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def preview_text(preview: Preview, policy: PatchPolicy) -> str:
    return "\n".join(_lines(preview, policy))


def _lines(preview: Preview, policy: PatchPolicy) -> Iterator[str]:
    plan = preview.plan
    name = f" ({plan.image.name})" if plan.image.name else ""
    count = hosts(plan.hosts)
    yield f"campaign {policy.metadata.name}: {count} of fleet {plan.fleet} to {plan.image.id}{name}"
    yield f"strategy {policy.spec.strategy.type}"
    yield f"plan {preview.digest}"
    yield ""
    yield _waves(plan)
    yield from section("boundaries", preview.boundaries)
    yield from section("warnings", preview.warnings)
    yield from section("problems: this plan cannot be started", preview.problems)


def _waves(plan: Plan) -> str:
    rows = [(str(wave.number), str(wave.hosts), zones(wave.zones)) for wave in plan.waves]
    return table([("wave", "hosts", "zones"), *rows])


def zones(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{zone}: {count}" for zone, count in counts.items())


def befores_text(plan: Plan) -> str:
    """Say what each group could go back to by itself, and where it could not."""
    lines = ["", "before"]
    for group in plan.groups:
        size = f"{group.minimum} to {group.maximum}, now {group.desired}"
        lines.append(
            f"  group {group.name} ({size}): template {group.template_id}, version {group.template_version}"
        )
        lines += [f"    floating: {floating}" for floating in group.floating]
        lines.append(
            "    the group by itself could not roll back; a campaign can: it records each host's image"
            if group.floating
            else "    nothing floats: this is what a rollback would restore"
        )
    return "\n".join(lines)

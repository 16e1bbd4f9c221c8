"""A fleet as text."""

from steadfleet_cli.fleet.calls import Inspection
from steadfleet_cli.output import dump, table
from steadfleet_workflows.fleet import FleetHolding

_HEADING = ("host", "group", "zone", "image", "health")


def inspection_text(inspection: Inspection) -> str:
    listing = inspection.listing
    rows = [
        (host.id, host.group, host.zone, _image(host.image_id, host.image_name), host.health)
        for host in listing.hosts
    ]
    lines = [table([_HEADING, *rows])] if rows else []
    shown = len(rows)
    lines.append(f"{listing.total} hosts" + (f", the first {shown} shown" if shown < listing.total else ""))
    if inspection.name and inspection.holding:
        lines.append(holding_text(inspection.name, inspection.holding))
    return "\n".join(lines)


def document(inspection: Inspection) -> dict[str, object]:
    holding = {"holding": dump(inspection.holding)} if inspection.holding else {}
    return {**dump(inspection.listing), **holding}


def holding_text(name: str, holding: FleetHolding) -> str:
    """Say who may change the fleet now."""
    held = f"held by {holding.holder}" if holding.holder else "held by no campaign"
    why = f" ({holding.reason})" if holding.reason else ""
    frozen = f"frozen by {holding.frozen_by}{why}" if holding.frozen_by else "not frozen"
    return f"fleet {name}: {frozen}; {held}"


def _image(identity: str, name: str) -> str:
    return f"{identity} ({name})" if name else identity

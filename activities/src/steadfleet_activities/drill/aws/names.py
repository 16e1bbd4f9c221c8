"""What a drill's things are called and tagged with: all after the run, at every retry the same."""

import hashlib
import re
from datetime import UTC

from steadfleet_activities.fleet import tags
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import Service
from steadfleet_ports.drill import DrillPreparation

DNS_LABEL = 63
DATABASE = 63
BALANCER = 32
GROUP = 128
_DIGEST = 8


def named(run: str, what: str = "", most: int = DNS_LABEL) -> str:
    """Name a thing after the run, with letters, digits and dashes; what is too long ends in a digest."""
    said = f"{run}-{what}" if what else run
    name = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")
    if not name[:1].isalpha():
        name = f"r-{name}"  # RDS wants a letter
    if len(name) <= most:
        return name
    digest = hashlib.sha256(said.encode()).hexdigest()[:_DIGEST]
    return f"{name[: most - _DIGEST - 1].rstrip('-')}-{digest}"


def zone_of(run: str, zone: str) -> str:
    """Name the drill's own zone: a run is alone in it."""
    return f"{named(run)}.{zone}"


def address_of(service: Service, preparation: DrillPreparation) -> str:
    zone = zone_of(preparation.run, preparation.order.plan.spec.recovery.zone)
    return f"{named_service(service.name)}.{zone}"


def named_service(service: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", service)


def tags_of(drill: Drill) -> dict[str, str]:
    return {
        tags.RUN: drill.run,
        tags.DRILL: drill.plan.name,
        tags.EXPIRES_AT: drill.expires_at.astimezone(UTC).isoformat(timespec="seconds"),
    }

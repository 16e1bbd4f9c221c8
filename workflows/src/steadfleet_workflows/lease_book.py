"""What a lease remembers, and how it looks to a person."""

from datetime import datetime, timedelta

from pydantic import BaseModel

from steadfleet_core.model import format_duration
from steadfleet_ports.lease import LeaseOrder, LeaseState, LeaseStatus, Obligation, Owner, Residue


class LeaseBook(BaseModel):
    """What a lease remembers: all of it goes along when it continues as new."""

    owner: Owner
    term: timedelta
    expires_at: datetime
    state: LeaseState = LeaseState.OPENING
    obligations: list[Obligation] = []
    residue: Residue = Residue()
    alarms: list[str] = []


class ContinuedLease(LeaseOrder):
    """A lease under way: what the run before it remembered comes along."""

    book: LeaseBook


def details(status: LeaseStatus) -> str:
    """Describe a lease in markdown, for the Temporal UI."""
    lines = [
        f"**lease of {status.run}: {status.state}**, until {status.expires_at:%Y-%m-%d %H:%M:%SZ}",
        f"owner `{status.owner.workflow}` · term {format_duration(status.term)}",
    ]
    lines += [f"to put back: {one.kind} `{one.subject}`" for one in status.obligations]
    lines += [f"**still there:** {one}" for one in status.residue.left]
    lines += [f"**serves, look at it:** {one}" for one in status.residue.spared]
    lines += [f"removed: {one}" for one in status.residue.removed]
    lines += [f"**alarm** {alarm}" for alarm in status.alarms]
    return "\n\n".join(lines)

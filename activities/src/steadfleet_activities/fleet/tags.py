"""The tags that say how far we got: the platform is the only record of what exists."""

CAMPAIGN = "steadfleet:campaign"
RUN = "steadfleet:run"
ATTEMPT = "steadfleet:attempt"

HOST = "steadfleet:host"
"""The planned host for which a machine was launched: finds replacements and restored ones at once."""

REPLACES = "steadfleet:replaces"
RESTORES = "steadfleet:restores"

EXPIRES_AT = "steadfleet:expires-at"
"""On a machine until it serves: serving capacity is never torn down by time."""

HELD = "steadfleet:held"
PREVIOUS_VERSION = "steadfleet:previous-template-version"

FLEET = "fleet"
"""On a group, by its owners: the fleet that it belongs to."""

FAMILY = "steadfleet:family"
VERSION = "steadfleet:version"

DRILL = "steadfleet:drill"
"""On all that a drill makes, with the drill's plan: an isolated copy, which never serves."""

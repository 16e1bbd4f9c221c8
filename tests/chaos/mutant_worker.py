"""The campaign's worker without its look before it creates, and without a token: a planted fault.

It must double hosts where the real worker does not; a test shows that it does.
"""

import uuid

from steadfleet_activities.fleet.lineage import Lineage
from steadfleet_activities.fleet.machines import Launch
from steadfleet_patch_campaign.main import main


def blind(_self: Lineage, _launch: Launch) -> None:
    """See nothing of what was launched before."""


def without_token(_self: Launch, _earlier: int) -> str:
    """Name no launch twice."""
    return uuid.uuid4().hex


if __name__ == "__main__":
    Lineage.launched_by = blind  # type: ignore[method-assign, assignment]
    Launch.token = without_token  # type: ignore[method-assign, assignment]
    main()

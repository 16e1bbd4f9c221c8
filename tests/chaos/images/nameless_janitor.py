"""The janitor that knows things by their tags alone, and not by their names: a planted fault.

Packer tags its AMI after it has created it; killed in between, it leaves one that only its name leads to.
"""

from steadfleet_activities.janitor.scope import Scope, Thing
from steadfleet_janitor.main import main


def never(_scope: Scope, _thing: Thing) -> bool:
    return False


if __name__ == "__main__":
    Scope.takes_by_name = never  # type: ignore[method-assign, assignment]
    main()

"""The driller that copies a snapshot without the tag of its run: a planted fault.

Nothing hangs on the copy, so nothing else fails: the inventory alone can tell.
"""

from typing import Any

from steadfleet_activities.drill.aws import copies, names
from steadfleet_activities.fleet import tags
from steadfleet_core.drill.order import Drill
from steadfleet_dr_drill.main import main

_copied = copies.Copy.copy_snapshot


def nameless(drill: Drill) -> dict[str, str]:
    return {key: value for key, value in names.tags_of(drill).items() if key != tags.RUN}


def copied_nameless(copy: copies.Copy, *words: Any, **more: Any) -> str:
    vars(copies)["tags_of"] = nameless
    try:
        return _copied(copy, *words, **more)
    finally:
        vars(copies)["tags_of"] = names.tags_of


if __name__ == "__main__":
    copies.Copy.copy_snapshot = copied_nameless  # type: ignore[method-assign, assignment]
    main()

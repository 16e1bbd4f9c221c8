"""Join adapters to their ports: which activities an adapter offers."""

from collections.abc import Callable
from typing import Any

_MARK = "__temporal_activity_definition"


class AdapterError(TypeError):
    """An adapter that does not offer what its port promises."""


def register(adapter: object) -> list[Callable[..., Any]]:
    """
    Return the adapter's activities for `Worker(activities=…)`.

    Refuses an override without `@activity.defn`, and one under another name than its port's: the
    worker would start, and every call of that activity would wait for ever.
    """
    names = sorted({name for cls in type(adapter).__mro__ for name in vars(cls) if _marks(adapter, name)})
    if not names:
        raise AdapterError(
            f"{type(adapter).__qualname__} has no @activity.defn method: pass an instance of an adapter"
        )
    for name in names:
        _refuse_lost(adapter, name)
    return [getattr(adapter, name) for name in names]


def _marks(adapter: object, name: str) -> list[Any]:
    """Return the definitions along the inheritance, the port's last."""
    found = [vars(cls).get(name) for cls in type(adapter).__mro__]
    return [getattr(method, _MARK) for method in found if hasattr(method, _MARK)]


def _refuse_lost(adapter: object, name: str) -> None:
    where = f"{type(adapter).__qualname__}.{name}"
    promised = _marks(adapter, name)[-1].name
    offered = getattr(getattr(adapter, name), _MARK, None)
    if offered is None:
        raise AdapterError(f"{where} overrides the activity {promised!r} without @activity.defn: add it")
    if offered.name != promised:
        raise AdapterError(
            f"{where} is the activity {offered.name!r}, and its port calls it {promised!r}: use that name"
        )

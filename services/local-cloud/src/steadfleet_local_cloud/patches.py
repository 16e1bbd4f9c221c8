"""Put our behaviour around moto's methods, and take it off again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_ABSENT = object()


class Patches:
    """moto's classes are global to the process: what is put around them must come off with the cloud."""

    def __init__(self) -> None:
        self._undo: list[tuple[type, str, object]] = []

    def wrap(self, owner: type, name: str, around: Callable[..., Any]) -> None:
        """Make `owner.name(self, …)` call `around(original, self, …)`."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return around(original, *args, **kwargs)

        self.replace(owner, name, wrapped)

    def replace(self, owner: type, name: str, value: object) -> None:
        """Set an attribute of a class, remembering whether it had its own."""
        self._undo.append((owner, name, owner.__dict__.get(name, _ABSENT)))
        setattr(owner, name, value)

    def undo(self) -> None:
        while self._undo:
            owner, name, before = self._undo.pop()
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

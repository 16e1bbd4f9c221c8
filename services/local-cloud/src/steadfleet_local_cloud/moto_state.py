"""moto's state and settings, which are this whole process's."""

from __future__ import annotations

import os
from typing import Any

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data


def reset_moto() -> None:
    """Forget everything that moto holds, and every backend."""
    used: list[Any] = list(vars(BackendDict)["_instances"])  # moto keeps no public list
    BackendDict.reset()
    reset_model_data()
    for backends in used:
        backends.clear()  # resetting one service makes moto build others anew, which must not stay


class environment:  # noqa: N801 - used like a function
    """Set a variable of this process for a while: moto reads some of its settings there."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def __enter__(self) -> None:
        self._before = os.environ.get(self._name)
        os.environ[self._name] = self._value

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del os.environ[self._name]
        else:
            os.environ[self._name] = self._before

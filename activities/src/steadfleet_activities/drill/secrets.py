"""Secrets, read when they are needed and kept nowhere."""

from collections.abc import Callable, Mapping

from steadfleet_core.drill.plan import Secret
from steadfleet_core.errors import RefusedError

Parameters = Callable[[str, str], str]
"""Reads an SSM parameter, by region and name; raises `RefusedError` where there is none."""


class Secrets:
    """Reads the worker's own environment, and the parameters of the recovery region."""

    def __init__(self, env: Mapping[str, str], parameters: Parameters) -> None:
        self._env = env
        self._parameters = parameters

    def read(self, secret: Secret, region: str) -> str:
        """Blocks; raises `RefusedError` where there is no such secret. What it says never has the value."""
        if secret.parameter is not None:
            return self._parameters(region, secret.parameter)
        name = secret.environment or ""
        if name not in self._env:
            raise RefusedError(
                f"the environment variable {name} is not set in this worker: expected a password; set it in "
                "all workers of the drill, or name an SSM parameter in its place"
            )
        return self._env[name]

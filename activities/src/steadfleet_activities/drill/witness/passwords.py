"""Read a password where it lies, at the moment when it is needed."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from steadfleet_core.drill.plan import Secret
from steadfleet_core.errors import RefusedError

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

Parameter = Callable[[str], str]


class Passwords:
    """This process's own environment and SSM: no secret travels through Temporal."""

    def __init__(self, parameter: Parameter, env: Mapping[str, str] | None = None) -> None:
        self._parameter = parameter
        self._env = os.environ if env is None else env

    def read(self, secret: Secret) -> str:
        """Raise `RefusedError`, with the place and never with the value, where there is none."""
        if secret.environment is not None:
            if not (found := self._env.get(secret.environment)):
                raise RefusedError(
                    f"the witness's environment has no {secret.environment}: set it to the password"
                )
            return found
        name = secret.parameter or ""
        try:
            return self._parameter(name)
        except (ClientError, BotoCoreError) as error:
            raise RefusedError(
                f"the witness cannot read the SSM parameter {name}: {error}; let its role read it"
            ) from error


class SsmParameters:
    def __init__(self, ssm: "SSMClient") -> None:
        self.ssm = ssm

    def __call__(self, name: str) -> str:
        return self.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]

"""Which environment a worker serves, and whom it trusts there, as its operator set it."""

from collections.abc import Mapping
from pathlib import Path

from steadfleet_core.contract import read_contract
from steadfleet_core.errors import ContractError
from steadfleet_durable import WorkerConfigError
from steadfleet_signing.trust import Environment, TrustMaterial, TrustPolicy

POLICY = "STEADFLEET_TRUST_POLICY"
ENVIRONMENT = "STEADFLEET_ENVIRONMENT"


def environment_of(env: Mapping[str, str]) -> Environment:
    """Read it; a worker that was told nothing is held to prod's rules."""
    said = env.get(ENVIRONMENT) or Environment.PROD
    try:
        return Environment(said)
    except ValueError as error:
        raise WorkerConfigError(f"{ENVIRONMENT}={said}: expected one of {', '.join(Environment)}") from error


def trust_of(env: Mapping[str, str]) -> TrustMaterial | None:
    """Read the worker's trust policy; None where none is set, which only dev may.

    Raises:
        WorkerConfigError: there is none, it cannot be read, or it is another environment's.
    """
    environment, path = environment_of(env), env.get(POLICY)
    if not path:
        if environment is Environment.DEV:
            return None
        raise WorkerConfigError(
            f"{POLICY} is not set, and in {environment} no image may be used that is not verified: name a "
            f"file with a TrustPolicy, or set {ENVIRONMENT}=dev where nothing is at stake"
        )
    try:
        policy = read_contract(Path(path).read_text(encoding="utf-8"), path, TrustPolicy)
        material = TrustMaterial.of(policy)
    except (OSError, UnicodeDecodeError) as error:
        raise WorkerConfigError(f"{POLICY}={path}: {error}; expected a file with a TrustPolicy") from error
    except ContractError as error:
        raise WorkerConfigError(f"{POLICY}: {error}") from error
    if policy.spec.environment is not environment:
        raise WorkerConfigError(
            f"{POLICY}={path} is for {policy.spec.environment}, and this worker serves {environment} "
            f"({ENVIRONMENT}): expected the policy of the same environment"
        )
    return material

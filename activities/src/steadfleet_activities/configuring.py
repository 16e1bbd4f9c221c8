"""What every worker of ours says in the same words when AWS or a bucket is not configured rightly."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from botocore.exceptions import BotoCoreError

from steadfleet_core.errors import SteadfleetError
from steadfleet_durable import WorkerConfigError
from steadfleet_durable.settings import read_time

PLANS = "steadfleet-plans"
ATTESTATIONS = "steadfleet-attestations"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@contextmanager
def aws_configured() -> Iterator[None]:
    """Build clients within; what their configuration lacks is a setting of the worker's that is wrong."""
    try:
        yield
    except SteadfleetError as error:
        raise WorkerConfigError(f"AWS: {error}") from error
    except (BotoCoreError, ValueError) as error:  # an endpoint that is no URL is a ValueError
        raise WorkerConfigError(
            f"AWS: {error}; expected AWS's own variables: a profile that exists, and AWS_ENDPOINT_URL only"
            " for a local cloud"
        ) from error


def plans_bucket(env: Mapping[str, str]) -> str:
    return _bucket(env, "STEADFLEET_BUCKET", PLANS, "plans, sources, SBOMs and logs are stored")


def attestations_bucket(env: Mapping[str, str]) -> str:
    return _bucket(env, "STEADFLEET_ATTESTATIONS_BUCKET", ATTESTATIONS, "attestations of images are stored")


def lease_term(env: Mapping[str, str]) -> timedelta:
    """Return how long a lease holds without a word of its owner; a run that died is cleared up by then."""
    term = read_time(env, "STEADFLEET_LEASE_TERM", "15m")
    if not term:
        raise WorkerConfigError("STEADFLEET_LEASE_TERM=0: expected more than no time, such as 15m")
    return term


def _bucket(env: Mapping[str, str], variable: str, default: str, kept: str) -> str:
    said = env.get(variable) or default
    if not _BUCKET.fullmatch(said):
        raise WorkerConfigError(
            f"{variable}={said}: expected the name of an S3 bucket, where {kept}: 3 to 63 lower-case letters,"
            " digits, dots and dashes"
        )
    return said

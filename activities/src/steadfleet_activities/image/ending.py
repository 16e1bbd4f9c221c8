"""What packer's end means: an image, or a failure in packer's own words."""

import re

from temporalio.exceptions import ApplicationError

from steadfleet_activities.image.packer.process import End, Result
from steadfleet_activities.image.packer.versions import Packer, missing_plugin
from steadfleet_activities.objects import hex_of
from steadfleet_core.image.order import Platform
from steadfleet_core.model import Digest, format_duration
from steadfleet_ports.image import ImageBuild

# What AWS may answer otherwise the next time, as packer's own words quote it.
_PASSING = re.compile(
    r"\b(RequestLimitExceeded|Throttling(Exception)?|InsufficientInstanceCapacity|InternalError|InternalFailure"
    r"|ServiceUnavailable|Unavailable|RequestExpired|ExpiredToken(Exception)?|InstanceLimitExceeded"
    r"|VcpuLimitExceeded|RequestError: send request failed)\b"
)

_RETRIED = frozenset({"PackerKilledError", "PlatformFailedError"})


def image_of(order: ImageBuild, packer: Packer, result: Result, log: Digest) -> str:
    """Return the image that packer made. Raises an error that is retried only if it may pass by itself."""
    build, made = order.build, result.outcome
    image = made.image_id if build.platform is Platform.DOCKER else made.amis.get(build.region)
    problem = _stopped(order, result) or _failed(packer, result)
    if problem is None and image:
        return image
    words, kind = problem or (f"packer ended well and made no image in {build.region}", "BuildFailedError")
    raise ApplicationError(
        f"building {build.family} {build.version}: {words}; the whole log is logs/{hex_of(log)}.log",
        type=kind,
        non_retryable=kind not in _RETRIED,
    )


def _stopped(order: ImageBuild, result: Result) -> tuple[str, str] | None:
    if result.end is End.TIMED_OUT:
        limit = format_duration(order.spec.time_limit)
        words = f"packer had not ended after {limit} (spec.build.timeLimit) and was stopped"
        return words, "BuildTimedOutError"
    if result.end is End.KILLED:
        return f"packer was killed from outside, by signal {-result.exit_status}", "PackerKilledError"
    return None


def _failed(packer: Packer, result: Result) -> tuple[str, str] | None:
    if not result.exit_status:
        return None
    errors = result.outcome.errors or tuple(filter(None, [result.aside.strip()]))
    reason = "; ".join(errors) or f"no reason, exit status {result.exit_status}"
    passing = any(_PASSING.search(error) for error in errors)
    words = missing_plugin(packer, result.outcome) or reason
    return f"packer failed: {words}", "PlatformFailedError" if passing else "BuildFailedError"

"""Ask a worker whether an image may be used: it measures the image, and has its own trust policy."""

import secrets
from collections.abc import Iterator
from datetime import timedelta

from temporalio.client import Client

from steadfleet_cli.engine import IMAGES, result_of
from steadfleet_cli.output import section
from steadfleet_ports.image import ImageDecision, ImageVerification
from steadfleet_workflows.image_inspection import ImageCheck

_MOST = timedelta(hours=2)


async def check(client: Client, verification: ImageVerification) -> ImageDecision:
    handle = await client.start_workflow(
        ImageCheck.run,
        verification,
        id=f"image-check/{secrets.token_hex(4)}",
        task_queue=IMAGES.task_queue,
        execution_timeout=_MOST,
    )
    return await result_of(client, handle, IMAGES, "nothing was decided; see the worker's log, and ask again")


def decision_text(decision: ImageDecision) -> str:
    return "\n".join(_lines(decision))


def _lines(decision: ImageDecision) -> Iterator[str]:
    verdict = "may be used" if decision.allowed else "may NOT be used"
    yield f"{decision.image} {verdict}"
    if not decision.enforced:
        yield "note: this worker's environment only warns: nothing is enforced there"
    if decision.content:
        yield f"measured {decision.content}"
    yield f"proven: {', '.join(decision.satisfied) or 'nothing'}"
    yield f"signed by: {', '.join(decision.signers) or 'nobody whom the policy trusts'}"
    if decision.builder:
        yield f"built by: {decision.builder}"
    yield from section("warnings" if decision.allowed else "reasons", decision.reasons)

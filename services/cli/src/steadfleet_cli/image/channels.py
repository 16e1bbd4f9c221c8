"""Move a channel, and say what came of it."""

from collections.abc import Iterator

from temporalio.client import Client

from steadfleet_cli.engine import IMAGES, answered
from steadfleet_cli.executions import COMPLETED, describe
from steadfleet_cli.image.orders import image_handle
from steadfleet_core.image.channel import Promotion, PromotionReceipt, PromotionVerb
from steadfleet_core.image.order import workflow_id
from steadfleet_core.image.report import PlaceState
from steadfleet_ports.channel_calls import PATIENCE, promote


async def move(client: Client, promotion: Promotion) -> PromotionReceipt:
    if promotion.verb is PromotionVerb.PROMOTE and not promotion.places:
        released = await _released(client, promotion.family, promotion.version)
        promotion = promotion.model_copy(update=released)
    order = promote(client, promotion, IMAGES.task_queue)
    return await answered(client, order, IMAGES, PATIENCE)


async def _released(client: Client, family: str, version: str) -> dict[str, object]:
    """Say where the build released the version, and on which platform, while Temporal knows it."""
    execution = await describe(client, workflow_id(family, version))
    if execution is None or execution.status != COMPLETED:
        return {}
    status = (await image_handle(client, family, version, execution.run_id).result()).status
    places = tuple(place.name for place in status.places if place.state is PlaceState.RELEASED)
    return {"places": places, **({"platform": status.platform} if status.platform else {})}


def receipt_text(promotion: Promotion, receipt: PromotionReceipt) -> str:
    return "\n".join(_lines(promotion, receipt))


def _lines(promotion: Promotion, receipt: PromotionReceipt) -> Iterator[str]:
    name, before = f"channel {promotion.channel} of {promotion.family}", receipt.previous or "nothing"
    same = f"steadfleet image promote {promotion.family} {receipt.version} --channel {promotion.channel}"
    if receipt.moved and receipt.previous == receipt.version:
        yield f"{name} stands at {receipt.version} already: nothing was moved"
    elif receipt.moved:
        yield f"{name} moved from {before} to {receipt.version}"
    elif receipt.waiting:
        yield f"{name} still stands at {before}; {receipt.version} {'; '.join(receipt.reasons)}"
        yield f"next: {same}  (by somebody other than {promotion.by})"
    else:
        yield f"refused: {name} still stands at {before}"
        yield from (f"  {reason}" for reason in receipt.reasons)
        verify = f", or steadfleet image verify {promotion.family} {receipt.version}"
        yield f"next: steadfleet image list {promotion.family}" + (verify if receipt.version else "")

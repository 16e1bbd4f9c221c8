"""What came of a promotion, and lists of images, as text."""

from datetime import UTC, datetime

import pytest

from fakes.builds import execution, minutes
from steadfleet_cli.image.channels import receipt_text
from steadfleet_cli.image.listing import Catalogue
from steadfleet_cli.image.listing_text import built_state, catalogue_document, catalogue_text
from steadfleet_core.image.channel import (
    Assignment,
    ChannelStatus,
    Promotion,
    PromotionReceipt,
    PromotionVerb,
    Proposal,
)
from steadfleet_core.image.golden import Channel
from steadfleet_ports.image import ListedImage

ORDER = Promotion(family="web", channel=Channel.PROD, version="1.4.2", by="ann")


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        (
            PromotionReceipt(moved=True, previous="1.4.1", version="1.4.2"),
            "channel prod of web moved from 1.4.1 to 1.4.2",
        ),
        (PromotionReceipt(moved=True, version="1.4.2"), "moved from nothing to 1.4.2"),
        (
            PromotionReceipt(moved=True, previous="1.4.2", version="1.4.2"),
            "channel prod of web stands at 1.4.2 already: nothing was moved",
        ),
        (
            PromotionReceipt(moved=False, waiting=True, version="1.4.2", reasons=("waits for 1 more",)),
            "next: steadfleet image promote web 1.4.2 --channel prod  (by somebody other than ann)",
        ),
        (
            PromotionReceipt(moved=False, previous="1.4.1", version="1.4.2", reasons=("was revoked",)),
            "refused: channel prod of web still stands at 1.4.1\n  was revoked\nnext: steadfleet image list",
        ),
        (
            PromotionReceipt(moved=False, reasons=("there is no way back",)),
            "  there is no way back\nnext: steadfleet image list web",
        ),
    ],
)
def test_a_promotion_is_told_with_the_next_step(receipt: PromotionReceipt, words: str) -> None:
    assert words in receipt_text(ORDER, receipt)


def catalogue() -> Catalogue:
    at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    moved = Assignment(
        version="1.4.2", by="ann", approved_by=("bob",), verb=PromotionVerb.PROMOTE, at=at, reason="weekly"
    )
    proposal = Proposal(version="1.4.3", by="eve", at=at)
    prod = ChannelStatus(
        family="web", channel=Channel.PROD, version="1.4.2", proposal=proposal, history=(moved,)
    )
    images = tuple(
        ListedImage(family="web", version=version, place="eu-west-1", id=f"ami-{version}", attestations=3)
        for version in ("1.4.2", "1.4.3")
    )
    build = execution(minutes(9), SfState="published")
    return Catalogue((build,), images, (prod,), ("channel dev of web does not answer: gone",))


def test_a_list_tells_builds_released_images_and_channels() -> None:
    text = catalogue_text(catalogue())

    assert "  web     1.4.2    published  2026-03-01 12:00:00 UTC" in text
    assert "  web     1.4.2    eu-west-1  ami-1.4.2           3             prod" in text
    assert "ann, approved by bob  1.4.3, asked by eve" in text
    assert text.endswith("note: channel dev of web does not answer: gone")


def test_nothing_is_told_too() -> None:
    assert catalogue_text(Catalogue((), (), (), ())).splitlines() == [
        *("builds", "  none", "", "released", "  none", "", "channels", "  none")
    ]


def test_a_list_as_values_names_the_channels_of_each_image() -> None:
    document = catalogue_document(catalogue())

    assert document["builds"][0]["endedAt"] == "2026-03-01T12:09:00+00:00"  # type: ignore[index]  # JSON
    assert [image["channels"] for image in document["images"]] == [["prod"], []]  # type: ignore[attr-defined]


def test_temporal_is_believed_where_it_knows_better() -> None:
    assert built_state(execution(minutes(1), "terminated", SfState="building")) == "terminated"
    assert built_state(execution(SfState="building")) == "building"
    assert built_state(execution()) == "running"

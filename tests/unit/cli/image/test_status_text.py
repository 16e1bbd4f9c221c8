"""A build's status as text."""

import pytest

from fakes.builds import LOG, examined, minutes, places, standing, status, step
from steadfleet_cli.image.documents import log_of
from steadfleet_cli.image.status_text import (
    document_of,
    examination_text,
    next_steps,
    receipt_text,
    standing_text,
    step_text,
)
from steadfleet_core.image.report import ImageReceipt, ImageState, PlaceState


def test_a_status_tells_what_went_in_what_came_out_and_what_is_missing() -> None:
    text = standing_text(standing(obligations=("withdraw the copy in us-east-1",)), minutes(10))

    for words in (
        "image web 1.4.2: halted — us-east-1: no capacity",
        "requested by ann at 2026-03-01 12:00:00 UTC, 10m ago",
        "ticket: OPS-7",
        "built on ami-0ba5e (debian-12); inputs sha256:",
        "packer made ami-1 in 5m; packer's log sha256:",
        "tests: 1 passed, 1 did not",
        "nginx answers  http     failed   60.0     answered 502",
        "sbom: 312 packages, sha256:",
        "vulnerabilities: 9 found in 312 packages looked up, 1 block, 1 waived",
        "CVE-2026-1  openssl 3.0.1  critical  3.0.2     blocks",
        "told, waived until 2027-01-31: not reachable",
        "the first 2 of 9 are shown",
        "eu-west-1  required  ready   ami-1",
        "attestations\n  eu-west-1: s3://steadfleet-attestations/ami/ami-1/1.sigstore.json",
        "to put right\n  withdraw the copy in us-east-1",
    ):
        assert words in text


def test_what_only_temporal_knows_is_said_to_be_so() -> None:
    text = standing_text(standing(silent="no worker answers", examination=None, gate=None), minutes(1))

    assert text.splitlines()[1] == "note: no worker answers"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "build_image, 2m: packer: Waiting for SSH"),
        ({"since": None, "said": ""}, "build_image, waits for a worker"),
        (
            {"attempt": 3, "failure": "S3 is down"},
            "build_image, attempt 3, 2m: packer: Waiting for SSH (before: S3 is down)",
        ),
    ],
)
def test_a_step_is_told_in_its_own_last_words(changes: dict[str, object], words: str) -> None:
    assert step_text(step(**changes), minutes(2)) == words


def test_a_halted_build_may_be_retried_or_aborted_until_its_release_begins() -> None:
    released = tuple(place.model_copy(update={"state": PlaceState.RELEASED}) for place in places())

    assert list(next_steps(status())) == [
        "next: steadfleet image retry web 1.4.2, or abort; undone after a day without either"
    ]
    assert list(next_steps(status(places=released))) == [
        "next: steadfleet image retry web 1.4.2; what is released is no longer undone"
    ]


def test_a_build_that_goes_on_by_itself_needs_nobody() -> None:
    assert list(next_steps(status(state=ImageState.BUILDING))) == []


def test_a_receipt_says_who_why_and_what_follows() -> None:
    receipt = ImageReceipt(verb="abort", by="bob", reason="wrong base", at=minutes(1), effect="undone")

    assert receipt_text("web", "1.4.2", receipt).splitlines() == [
        "abort of image web 1.4.2 accepted at 2026-03-01 12:01:00 UTC",
        "by: bob: wrong base",
        "then: undone",
    ]


def test_an_examination_without_checks_or_sbom_is_told_too() -> None:
    bare = examined().model_copy(update={"results": (), "sbom": None})

    assert examination_text(bare) == "tests: 0 passed, 0 did not\nsbom: none was made"


def test_the_document_of_an_open_build_has_no_end_and_its_steps() -> None:
    document = document_of(standing(steps=(step(),)))

    assert document["ended_at"] is None
    assert document["answered"] is True
    assert document["steps"] == [
        {
            "activity": "build_image",
            "attempt": 1,
            "since": "2026-03-01T12:00:00+00:00",
            "said": "packer: Waiting for SSH",
            "failure": "",
        }
    ]


def test_the_log_of_a_build_that_failed_is_named_by_its_reason() -> None:
    log = LOG.removeprefix("sha256:")
    failed = status(built=None, reason=f"packer failed: no SSH; the whole log is logs/{log}.log")

    assert log_of(failed) == LOG
    assert log_of(status()) == LOG
    assert log_of(status(built=None, reason="refused")) is None

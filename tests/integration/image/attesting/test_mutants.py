"""Planted faults: with a guard taken away, the test that stands for it must fail."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.image.attesting import test_signing, test_verifying
from integration.image.attesting.studio import Studio

from steadfleet_activities.image.attesting import signer
from steadfleet_activities.image.attesting.amis import AmiArtifacts
from steadfleet_activities.image.attesting.artifacts import Measured
from steadfleet_activities.image.attesting.s3_store import S3Attestations
from steadfleet_activities.image.attesting.stores import Found
from steadfleet_activities.image.platforms import Say
from steadfleet_ports.image import PublishedCopy

_measure = AmiArtifacts.measure
_found = S3Attestations.found


async def _any_run(*_: Any) -> None:
    """Take every image for the run's own."""


def _remembering() -> Any:
    """Measure an image once, and remember what it was."""
    seen: dict[str, Measured] = {}

    async def measure(self: AmiArtifacts, copy: PublishedCopy, say: Say, *, deep: bool) -> Measured:
        if copy.id not in seen:
            seen[copy.id] = await _measure(self, copy, say, deep=True)
        whole = seen[copy.id]
        return whole if deep else Measured(whole.subjects[:1])

    return measure


def _none(*_: Any) -> Found:
    return Found()


def _none_if_down(self: S3Attestations, copy: Any) -> Found:
    try:
        return _found(self, copy)
    except ClientError:
        return Found()


Test = Callable[..., Awaitable[None]]
MUTANTS: dict[str, tuple[object, str, object, Test, tuple[Any, ...]]] = {
    "any run's image is signed": (
        AmiArtifacts, "require_run", _any_run,
        test_signing.test_an_image_of_another_run_is_not_signed, (),
    ),
    "copies are not compared": (
        signer, "_refuse_different", lambda *_: None,
        test_signing.test_a_copy_that_was_altered_on_the_way_is_not_signed, (),
    ),
    "nobody looks before signing": (
        S3Attestations, "found", _none,
        test_signing.test_a_second_try_signs_nothing_again, (),
    ),
    "the content is never read again": (
        AmiArtifacts, "measure", _remembering(),
        test_verifying.test_one_changed_byte_of_the_content_is_seen_by_a_deep_look, (),
    ),
    "a store that is down is an empty one": (
        S3Attestations, "found", _none_if_down,
        test_verifying.test_a_store_that_does_not_answer_is_an_error_and_no_verdict, ("ListObjectsV2",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_guard_that_is_taken_away_is_missed(
    studio: Studio, mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, attribute, replacement, test, arguments = MUTANTS[mutant]
    monkeypatch.setattr(owner, attribute, replacement)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await test(studio, *arguments)

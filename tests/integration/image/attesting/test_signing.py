"""The signer measures a copy itself, reads the evidence, signs, and stores: once."""

import json
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from integration.image.attesting.studio import AWAY, BOM, BUCKET, BUNDLES, Studio
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from fakes.trust import BUILDER, new_signer
from steadfleet_activities.image import tags
from steadfleet_activities.image.attesting.statements import BUILD_TYPE
from steadfleet_activities.image.store import Kept
from steadfleet_core.image.report import GateReport, TestVerdict
from steadfleet_ports.image import AttestationRequest
from steadfleet_signing.bundle import Bundle
from steadfleet_signing.signers import KmsSigner, LocalKeySigner
from steadfleet_signing.statement import CYCLONEDX, PLAIN_SIGNATURE, SLSA_PROVENANCE, TEST_RESULT, Statement


def statements(studio: Studio, image: str) -> dict[str, Statement]:
    bundles = [Bundle.parse(raw) for raw in studio.bundles(image)]
    read = [Statement.parse(one.dsse_envelope.payload) for one in bundles]
    return {one.predicate_type: one for one in read}


async def refusal(studio: Studio, request: AttestationRequest) -> ApplicationError:
    with pytest.raises(ApplicationError) as refused:
        await studio.attest(request)
    assert refused.value.non_retryable
    assert studio.keys(request.copy_id) == []
    return refused.value


async def test_an_image_is_signed_and_then_accepted_everywhere(studio: Studio) -> None:
    image = studio.image()

    attested = await studio.attest(studio.request(image))

    assert len(attested.subjects) == 2
    assert attested.content in attested.subjects.values()
    assert attested.signer == str(studio.pen.identity)
    assert sorted(attested.attestations) == sorted(f"s3://{BUNDLES}/{key}" for key in studio.keys(image))
    for environment in ("dev", "staging", "prod"):
        decision = await studio.verify(image, environment, deep=True)
        assert (decision.allowed, decision.reasons) == (True, ())
        assert decision.content == attested.content


async def test_what_is_said_is_complete(studio: Studio) -> None:
    image = studio.image()
    request = studio.request(image)

    await studio.attest(request)

    said = statements(studio, image)
    assert said.keys() == {SLSA_PROVENANCE, CYCLONEDX, TEST_RESULT}
    assert said[CYCLONEDX].predicate == BOM
    assert said[TEST_RESULT].predicate["passedTests"] == ["answers"]
    definition, details = (said[SLSA_PROVENANCE].predicate[key] for key in ("buildDefinition", "runDetails"))
    assert definition["buildType"] == BUILD_TYPE
    assert definition["externalParameters"] == {
        "family": "web",
        "version": "1.4.2",
        "template": "web.pkr.hcl",
        "files": [],
        "base": {"name": "debian-12-base"},
        "variables": {"size": "small"},
        "timeLimit": "2h",
    }
    assert [one.get("digest") for one in definition["resolvedDependencies"]] == [
        {"sha256": studio.sources.removeprefix("sha256:")},
        None,
        None,
    ]
    assert (
        definition["resolvedDependencies"][1]["uri"] == "arn:aws:ec2:eu-west-1::image/ami-0123456789abcdef0"
    )
    assert definition["resolvedDependencies"][2]["uri"] == "pkg:generic/packer@1.11.2"
    assert details["builder"] == {"id": BUILDER}
    assert details["metadata"] == {
        "invocationId": request.invocation,
        "startedOn": "2026-11-21T12:00:00Z",
        "finishedOn": "2026-11-21T12:03:00Z",
    }
    assert [one["digest"]["sha256"] for one in details["byproducts"]] == [
        digest.removeprefix("sha256:")
        for digest in (studio.log, request.examination.tests, request.examination.sbom or "")
    ]


async def test_without_provenance_there_is_a_plain_signature(studio: Studio) -> None:
    image = studio.image()

    await studio.attest(
        studio.request(image, provenance=False, examination=studio.examination(image, sbom=False))
    )

    assert statements(studio, image).keys() == {PLAIN_SIGNATURE, TEST_RESULT}
    assert (await studio.verify(image, "staging")).allowed
    assert not (await studio.verify(image, "prod")).allowed


async def test_a_copy_in_another_region_is_signed_for_itself(studio: Studio) -> None:
    image = studio.image()
    first = await studio.attest(studio.request(image))
    copy = studio.copy(image)

    second = await studio.attest(studio.request(image, place=AWAY, copy=copy, content=first.content))

    assert second.content == first.content
    assert first.subjects.keys().isdisjoint(second.subjects.keys())
    assert (await studio.verify(copy, place=AWAY, deep=True)).allowed


async def test_a_copy_that_was_altered_on_the_way_is_not_signed(studio: Studio) -> None:
    image = studio.image()
    first = await studio.attest(studio.request(image))
    copy = studio.copy(image)
    studio.cloud.tamper_image(copy)

    error = await refusal(studio, studio.request(image, place=AWAY, copy=copy, content=first.content))

    assert error.type == "ContentDiffersError"
    assert "was altered on the way" in str(error)


async def test_an_image_of_another_run_is_not_signed(studio: Studio) -> None:
    strange = studio.image(**{tags.RUN: "image-web-1.4.2-somebody-else"})

    error = await refusal(studio, studio.request(strange))

    assert "steadfleet:run is image-web-1.4.2-somebody-else" in str(error)


async def test_an_image_without_the_builds_key_is_not_signed(studio: Studio) -> None:
    error = await refusal(studio, studio.request(studio.image(**{tags.KEY: "none"})))

    assert "steadfleet:key is none" in str(error)


async def test_an_image_whose_stored_report_has_failures_is_not_signed(studio: Studio) -> None:
    image = studio.image()
    failed = studio.examination(image, verdict=TestVerdict.FAILED)
    lied = failed.model_copy(update={"results": studio.examination(image).results})

    error = await refusal(studio, studio.request(image, examination=lied))

    assert "1 of 1 checks did not pass (answers)" in str(error)


async def test_the_report_of_another_image_is_not_taken(studio: Studio) -> None:
    image, other = studio.image(), studio.image("good-2.0")

    error = await refusal(studio, studio.request(image, examination=studio.examination(other)))

    assert f"is of {other}" in str(error)


async def test_results_that_are_not_in_the_report_are_not_taken(studio: Studio) -> None:
    image = studio.image()
    examination = studio.examination(image)
    invented = examination.results[0].model_copy(update={"name": "is secure"})
    said = examination.model_copy(update={"results": (*examination.results, invented)})

    error = await refusal(studio, studio.request(image, examination=said))

    assert "says otherwise than the build does" in str(error)


@pytest.mark.parametrize("kind", [Kept.SBOM, Kept.TESTS, Kept.SOURCES, Kept.LOG])
async def test_evidence_that_was_changed_is_not_taken(studio: Studio, kind: Kept) -> None:
    image = studio.image()
    request = studio.request(image)
    digests = {
        Kept.SBOM: request.examination.sbom or "",
        Kept.TESTS: request.examination.tests,
        Kept.SOURCES: studio.sources,
        Kept.LOG: studio.log,
    }
    studio.s3.put_object(Bucket=BUCKET, Key=kind.key(digests[kind]), Body=json.dumps(BOM).encode() + b" ")

    error = await refusal(studio, request)

    assert "was changed after it was stored" in str(error)


@pytest.mark.parametrize("wrong", [{"gate": GateReport(found=1, blocking=1)}, {"spec": None}])
async def test_a_request_that_must_not_be_met_is_refused(studio: Studio, wrong: dict[str, Any]) -> None:
    await refusal(studio, studio.request(studio.image(), **wrong))


async def test_a_second_try_signs_nothing_again(studio: Studio) -> None:
    image = studio.image()
    request = studio.request(image)
    first = await studio.attest(request, studio.signer_with(new_forgetful(studio)))

    second = await studio.attest(request, studio.signer_with(new_forgetful(studio)))

    assert first == second
    assert len(studio.keys(image)) == 3


def new_forgetful(studio: Studio) -> LocalKeySigner:
    """Give the same key, which signs otherwise each time, as KMS does."""

    class Random(LocalKeySigner):
        def _sign(self, message: bytes) -> bytes:
            return self._key.sign(message, ec.ECDSA(hashes.SHA256()))

    return Random(studio.pen._key)


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_lost_answer_doubles_nothing(studio: Studio, lost: int) -> None:
    image = studio.image()
    request = studio.request(image)
    signer = studio.signer_with(new_forgetful(studio))
    studio.cloud.add_fault("lost", action="PutObject", count=1, after=lost - 1)

    with pytest.raises(ApplicationError):
        await studio.attest(request, signer)
    assert len(studio.keys(image)) == lost
    attested = await studio.attest(request, signer)

    assert len(studio.keys(image)) == len(attested.attestations) == 3


async def test_another_signers_word_is_not_taken_for_ours(studio: Studio) -> None:
    image = studio.image()
    request = studio.request(image)
    stranger = Studio.__new__(Studio)
    stranger.__dict__.update(studio.__dict__, pen=new_signer())
    await stranger.attest(request, stranger.signer_with(stranger.pen))

    await studio.attest(request)

    assert len(studio.keys(image)) == 6


async def test_a_pen_that_writes_what_cannot_be_verified_stores_nothing(studio: Studio) -> None:
    image = studio.image()

    with pytest.raises(ApplicationError, match="what was just signed does not verify"):
        await studio.attest(studio.request(image), studio.signer_with(new_signer()))

    assert studio.keys(image) == []


async def test_a_key_in_kms_signs(studio: Studio) -> None:
    kms = boto3.client("kms", **studio.cloud.client_settings)
    arn = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    studio.pen = KmsSigner(kms, arn)  # type: ignore[assignment]
    image = studio.image()

    await studio.attest(studio.request(image), studio.signer_with(studio.pen))

    assert (await studio.verify(image, deep=True)).allowed


async def test_what_is_retracted_is_gone_and_nothing_else(studio: Studio) -> None:
    image, other = studio.image(), studio.image("good-2.0", run="image-web-1.4.2-other")
    await studio.attest(studio.request(image))
    studio.leave(other, b"something")

    for _ in range(2):
        await ActivityEnvironment().run(studio.signer.retract_attestations, studio.publication(image))

    assert studio.keys(image) == []
    assert len(studio.keys(other)) == 1


async def test_what_was_signed_for_a_released_image_stays(studio: Studio) -> None:
    image = studio.image(**{tags.FAMILY: "web", tags.VERSION: "1.4.2"})
    await studio.attest(studio.request(image))

    with pytest.raises(ApplicationError, match=r"is released as web@1\.4\.2: what was signed for it stays"):
        await ActivityEnvironment().run(studio.signer.retract_attestations, studio.publication(image))
    assert len(studio.keys(image)) == 3


async def test_there_may_be_nothing_to_retract(studio: Studio) -> None:
    await ActivityEnvironment().run(
        studio.signer.retract_attestations, studio.publication("ami-0123456789abcdef0", AWAY)
    )

"""Only an image whose content, signature, signer and subject all hold is let through; else it is said why."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.image.attesting.studio import AWAY, BUNDLES, Studio

from fakes.trust import new_signer, trusted_key
from steadfleet_activities.image import tags
from steadfleet_activities.image.attesting.verifier import NO_POLICY, ImageVerifier
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.channel import RULES
from steadfleet_core.image.golden import Channel
from steadfleet_core.image.order import Platform
from steadfleet_core.model import digest_of
from steadfleet_ports.image import ImageReference, ImageVerification
from steadfleet_signing.trust import TrustMaterial
from steadfleet_signing.verify import examine

ENFORCING = ("staging", "prod")


async def assert_refused(studio: Studio, image: str, *reasons: str, **asked: Any) -> None:
    """Hold: staging and prod refuse with each of these reasons, and dev warns with them."""
    for environment in ("dev", *ENFORCING):
        decision = await studio.verify(image, environment, **asked)
        assert decision.allowed is (environment == "dev"), environment
        assert decision.enforced is (environment != "dev")
        for reason in reasons:
            assert any(reason in one for one in decision.reasons), (reason, decision.reasons)


async def test_an_image_that_was_never_signed_is_refused(studio: Studio) -> None:
    await assert_refused(studio, studio.image(), "no attestation of this image by a trusted signer was found")


async def test_an_image_signed_by_a_stranger_is_refused(studio: Studio) -> None:
    image = await studio.signed()

    await assert_refused(
        studio, image, "by a key that the policy does not trust", keys=[trusted_key(new_signer())]
    )


async def test_attestations_of_another_image_count_for_nothing(studio: Studio) -> None:
    signed, other = await studio.signed(), studio.image("good-2.0")
    for bundle in studio.bundles(signed):
        studio.leave(other, bundle)

    await assert_refused(studio, other, "was it copied from another image?")


async def test_attestations_of_the_same_content_elsewhere_count_for_nothing(studio: Studio) -> None:
    signed = await studio.signed()
    copy = studio.copy(signed)
    for bundle in studio.bundles(signed):
        studio.leave(copy, bundle)

    await assert_refused(studio, copy, "was it copied from another image?", place=AWAY)


async def test_one_changed_byte_of_the_content_is_seen_by_a_deep_look(studio: Studio) -> None:
    image = await studio.signed()
    studio.cloud.tamper_image(image)

    assert (await studio.verify(image)).allowed  # a shallow look trusts that AWS's snapshots never change
    await assert_refused(studio, image, "not about ebs-content:", deep=True)


async def test_one_changed_byte_of_a_bundle_is_seen(studio: Studio) -> None:
    image = await studio.signed()
    for key in studio.keys(image):
        bundle = bytearray(studio.s3.get_object(Bucket=BUNDLES, Key=key)["Body"].read())
        bundle[len(bundle) // 2] ^= 1
        studio.s3.put_object(Bucket=BUNDLES, Key=key, Body=bytes(bundle))

    await assert_refused(studio, image, "it was changed: its content is not what its key says")


async def test_a_changed_bundle_under_its_own_name_is_seen(studio: Studio) -> None:
    image = await studio.signed()
    for key, bundle in zip(studio.keys(image), studio.bundles(image), strict=True):
        parts = json.loads(bundle)
        payload = parts["dsseEnvelope"]["payload"]
        parts["dsseEnvelope"]["payload"] = ("B" if payload[100] == "A" else "A").join(
            (payload[:100], payload[101:])
        )
        studio.s3.delete_object(Bucket=BUNDLES, Key=key)
        studio.leave(image, json.dumps(parts).encode())

    await assert_refused(studio, image, "it was altered")


async def test_a_builder_that_is_not_allowed_is_refused_where_provenance_is_asked(studio: Studio) -> None:
    image = studio.image()
    await studio.attest(
        studio.request(image), studio.signer_with(studio.pen, builder="https://example.com/laptop")
    )

    staging, prod = await studio.verify(image, "staging"), await studio.verify(image)

    assert staging.allowed
    assert not prod.allowed
    assert any("names builder 'https://example.com/laptop'" in reason for reason in prod.reasons)


async def test_a_key_whose_time_is_over_is_refused(studio: Studio) -> None:
    image = await studio.signed()
    ended = datetime.now(UTC) - timedelta(days=1)

    keys = [trusted_key(studio.pen, validUntil=ended.isoformat())]
    await assert_refused(studio, image, "was valid until", keys=keys)


async def test_a_revoked_image_is_refused_in_dev_too(studio: Studio) -> None:
    image = studio.image()
    attested = await studio.attest(studio.request(image))

    for digest in attested.subjects.values():
        revoked = [{"digest": digest, "reason": "CVE-2026-1"}]
        for environment in ("dev", *ENFORCING):
            decision = await studio.verify(image, environment, revoked=revoked)
            assert not decision.allowed
            assert any("was revoked: CVE-2026-1" in reason for reason in decision.reasons)


async def test_a_revoked_content_is_refused_in_every_region(studio: Studio) -> None:
    image = studio.image()
    first = await studio.attest(studio.request(image))
    copy = studio.copy(image)
    await studio.attest(studio.request(image, place=AWAY, copy=copy))

    decision = await studio.verify(
        copy, "dev", place=AWAY, revoked=[{"digest": first.content, "reason": "CVE-2026-1"}]
    )

    assert not decision.allowed


async def test_a_revoked_statement_counts_for_nothing(studio: Studio) -> None:
    image = studio.image()
    await studio.attest(studio.request(image, provenance=False))
    signed = [proof.signed for proof in await proofs(studio, image)]

    revoked = [{"digest": one, "reason": "made by mistake"} for one in signed]
    await assert_refused(studio, image, "it was revoked: made by mistake", revoked=revoked)


async def proofs(studio: Studio, image: str) -> list[Any]:
    return list(examine(studio.bundles(image), TrustMaterial.of(studio.policy("dev"))))


async def test_attestations_that_were_deleted_prove_nothing(studio: Studio) -> None:
    image = await studio.signed()
    for key in studio.keys(image):
        studio.s3.delete_object(Bucket=BUNDLES, Key=key)

    await assert_refused(studio, image, "no attestation of this image by a trusted signer was found")


async def test_what_others_leave_beside_an_image_does_no_harm(studio: Studio) -> None:
    image = await studio.signed()
    studio.leave(image, b"nothing that anybody reads")
    studio.leave(image, b"{}", digest_of(b"something else"))
    studio.s3.put_object(Bucket=BUNDLES, Key=f"ami/{image}/readme.txt", Body=b"hello")

    decision = await studio.verify(image, deep=True)

    assert decision.allowed
    assert any("not named after a digest" in reason for reason in decision.reasons)
    assert any("its content is not what its key says" in reason for reason in decision.reasons)
    assert any("is not JSON" in reason for reason in decision.reasons)


@pytest.mark.parametrize("action", ["ListObjectsV2", "GetObject"])
async def test_a_store_that_does_not_answer_is_an_error_and_no_verdict(studio: Studio, action: str) -> None:
    image = await studio.signed()
    studio.cloud.add_fault("error", action=action)

    for environment in ("dev", *ENFORCING):
        with pytest.raises(ClientError):
            await studio.verify(image, environment)


async def test_a_bucket_that_is_not_there_is_an_error_and_no_verdict(studio: Studio) -> None:
    image = studio.image()
    studio.s3.delete_bucket(Bucket=BUNDLES)

    with pytest.raises(RefusedError, match="there is no bucket steadfleet-attestations"):
        await studio.verify(image, "dev")


async def test_what_a_call_demands_is_enforced_in_dev_too(studio: Studio) -> None:
    image = studio.image()
    prod = RULES[Channel.PROD].demands

    decision = await studio.verifier("dev").verify_image(
        ImageVerification(image=ImageReference(id=image), demand=tuple(prod))
    )

    assert (decision.allowed, decision.enforced) == (False, True)


async def test_a_signed_image_meets_every_channels_demands(studio: Studio) -> None:
    image = await studio.signed()
    for rule in RULES.values():
        asked = ImageVerification(image=ImageReference(id=image), demand=tuple(rule.demands), deep=True)
        decision = await studio.verifier("prod").verify_image(asked)
        assert decision.allowed
    assert set(decision.satisfied) == {"signature", "provenance", "sbom", "tests"}
    assert decision.signers == ("key release",)
    assert decision.builder == "https://steadfleet.dev/builders/image/v1"


async def test_without_a_policy_nothing_can_be_proven(studio: Studio) -> None:
    image = await studio.signed()
    verifier = ImageVerifier(None, {Platform.AWS: studio.shelf})
    reference = ImageReference(id=image)

    plain = await verifier.verify_image(ImageVerification(image=reference))
    demanding = await verifier.verify_image(ImageVerification(image=reference, demand=("signature",)))

    assert (plain.allowed, plain.reasons) == (True, (NO_POLICY,))
    assert (demanding.allowed, demanding.reasons) == (False, (NO_POLICY,))


async def test_a_version_is_found_where_it_is_released(studio: Studio) -> None:
    image = await studio.signed()
    wanted = ImageReference(family="web", version="1.4.2")
    with pytest.raises(RefusedError, match="got none, expected exactly one image"):
        await studio.verifier().verify_image(ImageVerification(image=wanted))
    studio.regions.at_home.ec2.create_tags(
        Resources=[image],
        Tags=[{"Key": tags.FAMILY, "Value": "web"}, {"Key": tags.VERSION, "Value": "1.4.2"}],
    )

    decision = await studio.verifier().verify_image(ImageVerification(image=wanted))

    assert (decision.image, decision.allowed) == (image, True)


@pytest.mark.parametrize(
    "reference",
    [
        ImageReference(),
        ImageReference(id="ami-0123456789abcdef0", family="web", version="1.4.2"),
        ImageReference(family="web"),
        ImageReference(id="ami-0123456789abcdef0"),
        ImageReference(id="../other"),
        ImageReference(platform=Platform.DOCKER, id="web@sha256:" + "0" * 64),
    ],
)
async def test_what_is_no_image_is_refused(studio: Studio, reference: ImageReference) -> None:
    with pytest.raises(RefusedError):
        await studio.verifier().verify_image(ImageVerification(image=reference))

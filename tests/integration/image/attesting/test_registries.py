"""OCI images are measured, signed and verified at their registry, whichever way it lists referrers."""

import json

import pytest
from integration.image.attesting.harbour import Harbour, descriptor, image_manifest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from fakes.registry import Manifest
from steadfleet_activities.image.attesting.referrers import INDEX, MANIFEST
from steadfleet_activities.image.attesting.stores import MOST_BUNDLES
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import Region


async def test_an_image_is_signed_and_accepted_and_not_signed_twice(harbour: Harbour) -> None:
    image = harbour.image()

    first = await harbour.attest(harbour.request(image))
    second = await harbour.attest(harbour.request(image))

    assert first == second
    assert first.content == image.partition("@")[2]
    assert len(first.attestations) == len(harbour.store.found(harbour.copy(image)).bundles) == 4
    assert any(tag.startswith("sha256-") for tag in harbour.repository.tags) != harbour.registry.referrers_api
    for environment in ("staging", "prod"):
        decision = await harbour.verify(image, environment)
        assert (decision.allowed, decision.reasons) == (True, ())


async def test_each_platform_of_an_index_is_a_subject(harbour: Harbour) -> None:
    image = harbour.index(b"amd64", b"arm64")

    await harbour.attest(harbour.request(image))

    verified = await harbour.verify(image)
    assert verified.allowed
    for layer in (b"amd64", b"arm64"):
        one = f"{harbour.place}/web@{image_manifest(layer).digest}"
        bundles = harbour.store.found(harbour.copy(image)).bundles
        for stored in bundles:
            harbour.store.put(harbour.copy(one), stored.bundle)
        assert (await harbour.verify(one)).allowed


async def test_attestations_of_another_image_count_for_nothing(harbour: Harbour) -> None:
    signed, other = harbour.image(), harbour.image(b"another layer")
    harbour.image()
    await harbour.attest(harbour.request(signed))
    for stored in harbour.store.found(harbour.copy(signed)).bundles:
        harbour.store.put(harbour.copy(other), stored.bundle)

    decision = await harbour.verify(other)

    assert not decision.allowed
    assert any("was it copied from another image?" in reason for reason in decision.reasons)


async def test_an_image_that_was_never_signed_is_refused(harbour: Harbour) -> None:
    decision = await harbour.verify(harbour.image())

    assert not decision.allowed
    assert any("no attestation of this image" in reason for reason in decision.reasons)


async def test_an_image_that_is_not_the_runs_is_not_signed(harbour: Harbour) -> None:
    strange, _ours = harbour.image(b"strange"), harbour.image()

    with pytest.raises(ApplicationError, match="nothing is signed that is not this run's") as refused:
        await harbour.attest(harbour.request(strange))
    assert refused.value.non_retryable


async def test_a_registry_that_answers_with_something_else_is_not_believed(harbour: Harbour) -> None:
    image = harbour.image()
    digest = image.partition("@")[2]
    harbour.repository.manifests[digest] = image_manifest(b"another layer")

    with pytest.raises(RefusedError, match="it is damaged, or lies"):
        await harbour.verify(image)


async def test_a_bundle_that_was_changed_is_recorded_and_counts_for_nothing(harbour: Harbour) -> None:
    image = harbour.image()
    await harbour.attest(harbour.request(image))
    for digest, blob in list(harbour.repository.blobs.items()):
        if b"dsseEnvelope" in blob:
            harbour.repository.blobs[digest] = blob.replace(b"dsseEnvelope", b"dsseenvelope")

    decision = await harbour.verify(image)

    assert not decision.allowed
    assert any("its bundle was changed" in reason for reason in decision.reasons)


async def test_strange_referrers_do_no_harm_and_are_left_when_ours_are_removed(harbour: Harbour) -> None:
    image = harbour.image()
    await harbour.attest(harbour.request(image))
    subject = harbour.repository.manifests[image.partition("@")[2]]
    fields = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/spdx+json",
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [descriptor("application/spdx+json", b"{}")],
        "subject": descriptor(subject.media_type, subject.content),
    }
    stranger = Manifest(MANIFEST, json.dumps(fields).encode())
    harbour.registry.add("golden/web", "stranger", stranger, b"{}")
    if not harbour.registry.referrers_api:
        index = harbour.repository.find(image.partition("@")[2].replace(":", "-"))
        assert index
        listed = {**index.fields, "manifests": [*index.fields["manifests"], stranger.descriptor()]}
        harbour.registry.add(
            "golden/web",
            image.partition("@")[2].replace(":", "-"),
            Manifest(INDEX, json.dumps(listed).encode()),
        )

    assert (await harbour.verify(image)).allowed
    for _ in range(2):
        await ActivityEnvironment().run(harbour.signer.retract_attestations, harbour.publication())

    assert harbour.store.found(harbour.copy(image)).bundles == ()
    assert stranger.digest in harbour.repository.manifests
    assert image.partition("@")[2] in harbour.repository.manifests
    assert not (await harbour.verify(image)).allowed


async def test_what_was_signed_for_a_released_image_stays(harbour: Harbour) -> None:
    image = harbour.image()
    await harbour.attest(harbour.request(image))
    harbour.repository.tags[harbour.build().version] = image.partition("@")[2]

    with pytest.raises(ApplicationError, match=r"is released as web@1\.4\.2: what was signed for it stays"):
        await ActivityEnvironment().run(harbour.signer.retract_attestations, harbour.publication())
    assert (await harbour.verify(image)).allowed


async def test_there_may_be_nothing_to_retract(harbour: Harbour) -> None:
    await ActivityEnvironment().run(harbour.signer.retract_attestations, harbour.publication())


async def test_a_lost_index_is_written_at_the_second_try(harbour: Harbour) -> None:
    image = harbour.image()
    await harbour.attest(harbour.request(image))
    harbour.repository.tags.pop(image.partition("@")[2].replace(":", "-"), None)

    await harbour.attest(harbour.request(image))

    assert (await harbour.verify(image)).allowed


async def test_a_flood_of_referrers_is_read_in_part_only(harbour: Harbour) -> None:
    image = harbour.image()
    await harbour.attest(harbour.request(image))
    before = len(harbour.registry.requests)
    if harbour.registry.referrers_api:
        subject = harbour.repository.manifests[image.partition("@")[2]]
        for number in range(3 * MOST_BUNDLES):
            fields = {"schemaVersion": 2, "number": number, "subject": descriptor(MANIFEST, subject.content)}
            harbour.registry.add(
                "golden/web", f"flood-{number}", Manifest(MANIFEST, json.dumps(fields).encode())
            )

    decision = await harbour.verify(image)

    assert decision.allowed
    assert len(harbour.registry.requests) - before < 3 * MOST_BUNDLES
    assert bool(decision.reasons) == harbour.registry.referrers_api


async def test_an_image_of_an_engine_is_refused_in_words(harbour: Harbour) -> None:
    with pytest.raises(ApplicationError, match="an image that only an engine has cannot be signed"):
        await harbour.attest(harbour.request("sha256:" + "1" * 64))


async def test_a_registry_that_does_not_answer_is_an_error_to_try_again(harbour: Harbour) -> None:
    publication = harbour.publication().model_copy(update={"place": Region(name="127.0.0.1:1/golden")})
    gone = f"127.0.0.1:1/golden/web@sha256:{'1' * 64}"

    with pytest.raises(ApplicationError, match="no answer from the registry") as failed:
        await harbour.attest(harbour.request(gone, publication=publication))
    assert not failed.value.non_retryable

"""Images that cosign signed in a registry are accepted by us, and those that we signed by cosign."""

import json
from collections.abc import Iterator

import pytest
from integration.signing.cosign_key import BY_KEY, CosignKey
from integration.signing.signing import new_signer, pem_of, trusting_key

from fakes.registry import FakeRegistry, Manifest, digest_of
from steadfleet_signing import (
    BUNDLE_TYPE,
    PLAIN_SIGNATURE,
    SLSA_PROVENANCE,
    Statement,
    Subject,
    verify_bundle,
)
from steadfleet_signing.errors import UntrustedKeyError
from steadfleet_signing.signers import LocalKeySigner

PLAIN_HTTP = ("--allow-http-registry", "--allow-insecure-registry")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture(params=[True, False], ids=["referrers API", "fallback tag"])
def registry(request: pytest.FixtureRequest) -> Iterator[FakeRegistry]:
    with FakeRegistry.running(referrers_api=request.param) as registry:
        yield registry


@pytest.fixture
def image(registry: FakeRegistry) -> str:
    config, layer = b'{"architecture":"amd64","os":"linux"}', b"a layer"
    described = _manifest(
        config=_descriptor("application/vnd.oci.image.config.v1+json", config),
        layers=[_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    )
    return registry.add("web", "1.0", described, config, layer)


def test_a_signed_image_is_accepted(registry: FakeRegistry, image: str, key: CosignKey) -> None:
    key.run("sign", *BY_KEY, *PLAIN_HTTP, image)

    [bundle] = bundles_of(registry, image)
    verified = verify_bundle(bundle, trusting_key(key.public))

    assert verified.statement.predicate_type == PLAIN_SIGNATURE
    assert [f"sha256:{each.digest['sha256']}" for each in verified.statement.subjects] == [_digest(image)]
    with pytest.raises(UntrustedKeyError):
        verify_bundle(bundle, trusting_key(pem_of(new_signer())))


def test_an_attested_image_is_accepted(registry: FakeRegistry, image: str, key: CosignKey) -> None:
    said = ("--predicate", "predicate.json", "--type", "slsaprovenance1")
    key.run("attest", *said, *BY_KEY, *PLAIN_HTTP, image)

    [bundle] = bundles_of(registry, image)
    verified = verify_bundle(bundle, trusting_key(key.public))

    assert verified.statement.predicate_type == SLSA_PROVENANCE
    assert [f"sha256:{each.digest['sha256']}" for each in verified.statement.subjects] == [_digest(image)]


def test_what_we_sign_is_a_signature_to_cosign(
    registry: FakeRegistry, image: str, key: CosignKey, signer: LocalKeySigner
) -> None:
    attach(registry, image, signer.sign(statement_of(image)))
    (key.folder / "ours.pem").write_text(pem_of(signer))
    asked = ("verify", "--insecure-ignore-tlog", *PLAIN_HTTP)

    told = json.loads(key.run(*asked, "--key", "ours.pem", image))

    assert told[0]["critical"]["image"]["docker-manifest-digest"] == _digest(image)
    assert key.cosign.run(*asked, "--key", "cosign.pub", image).returncode != 0


def test_our_signature_of_another_image_is_none_to_cosign(
    registry: FakeRegistry, image: str, key: CosignKey, signer: LocalKeySigner
) -> None:
    attach(registry, image, signer.sign(statement_of("other@sha256:" + "0" * 64)))
    (key.folder / "ours.pem").write_text(pem_of(signer))

    answer = key.cosign.run("verify", "--insecure-ignore-tlog", *PLAIN_HTTP, "--key", "ours.pem", image)

    assert answer.returncode != 0
    assert "digest" in answer.stderr


def statement_of(image: str) -> bytes:
    name, digest = image.split("@sha256:")
    subject = Subject(name=name, digest={"sha256": digest})
    return Statement(subjects=(subject,), predicate_type=PLAIN_SIGNATURE).canonical()


def bundles_of(registry: FakeRegistry, image: str) -> list[bytes]:
    """Give what a client finds: by the API where there is one, by the tag where there is none."""
    repository = registry.repositories["web"]
    if registry.referrers_api:
        assert not any(tag.startswith("sha256-") for tag in repository.tags)
        digests = [manifest.digest for manifest in repository.referrers(_digest(image))]
    else:
        index = repository.find(_digest(image).replace(":", "-"))
        assert index
        digests = [described["digest"] for described in index.fields["manifests"]]
    layers = [repository.manifests[digest].fields["layers"][0] for digest in digests]
    return [repository.blobs[layer["digest"]] for layer in layers]


def attach(registry: FakeRegistry, image: str, bundle: bytes) -> None:
    """Put the bundle beside the image, as cosign does."""
    subject = registry.repositories["web"].manifests[_digest(image)]
    referrer = _manifest(
        artifactType=BUNDLE_TYPE,
        config=_descriptor(EMPTY, b"{}"),
        layers=[_descriptor(BUNDLE_TYPE, bundle)],
        subject=_descriptor(subject.media_type, subject.content),
        annotations={
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": PLAIN_SIGNATURE,
            "org.opencontainers.image.created": "2026-01-31T00:00:00Z",
        },
    )
    registry.add("web", "attached", referrer, b"{}", bundle)
    if not registry.referrers_api:
        index = _manifest(manifests=[referrer.descriptor()])
        registry.add("web", _digest(image).replace(":", "-"), index)


def _digest(image: str) -> str:
    return image.split("@")[1]


def _manifest(**fields: object) -> Manifest:
    media_type = "application/vnd.oci.image.index.v1+json" if "manifests" in fields else MANIFEST
    content = {"schemaVersion": 2, "mediaType": media_type, **fields}
    return Manifest(media_type, json.dumps(content).encode())


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

"""What we leave in a registry cosign finds and accepts, and the other way round."""

from pathlib import Path

import pytest
from integration.image.attesting.harbour import Harbour
from integration.image.attesting.studio import Studio
from integration.signing.cosign_key import BY_KEY, CosignKey
from integration.signing.oracles import Cosign
from integration.signing.signing import pem_of

from fakes.trust import trusted_key

PLAIN_HTTP = ("--allow-http-registry", "--allow-insecure-registry")


@pytest.fixture
def key(tmp_path: Path) -> CosignKey:
    return CosignKey(Cosign(tmp_path), tmp_path)


async def test_what_we_signed_is_accepted_by_cosign(harbour: Harbour, key: CosignKey) -> None:
    image = harbour.image()
    await harbour.attest(harbour.request(image))
    (key.folder / "ours.pem").write_text(pem_of(harbour.studio.pen))
    ours = ("--key", "ours.pem", "--insecure-ignore-tlog", *PLAIN_HTTP)

    signature = key.cosign.run("verify", *ours, image)
    provenance = key.cosign.run("verify-attestation", "--type", "slsaprovenance1", *ours, image)
    sbom = key.cosign.run("verify-attestation", "--type", "cyclonedx", *ours, image)
    stranger = key.cosign.run("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", *PLAIN_HTTP, image)

    for accepted in (signature, provenance, sbom):
        assert accepted.returncode == 0, accepted.stderr
    assert stranger.returncode != 0


async def test_what_cosign_signed_is_accepted_by_us(harbour: Harbour, key: CosignKey) -> None:
    image = harbour.image()
    key.run("sign", *BY_KEY, *PLAIN_HTTP, image)
    studio: Studio = harbour.studio

    trusted = await harbour.verify(image, "staging", keys=[{**trusted_key(studio.pen), "pem": key.public}])
    strange = await harbour.verify(image, "staging")

    assert (trusted.allowed, trusted.reasons) == (True, ())
    assert not strange.allowed


async def test_signatures_of_both_stand_side_by_side(harbour: Harbour, key: CosignKey) -> None:
    image = harbour.image()
    key.run("sign", *BY_KEY, *PLAIN_HTTP, image)
    await harbour.attest(harbour.request(image))
    (key.folder / "ours.pem").write_text(pem_of(harbour.studio.pen))

    for pem in ("ours.pem", "cosign.pub"):
        asked = ("verify", "--key", pem, "--insecure-ignore-tlog", *PLAIN_HTTP, image)
        assert key.cosign.run(*asked).returncode == 0
    assert (await harbour.verify(image)).allowed

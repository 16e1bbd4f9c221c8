"""The private Sigstore of our tests refuses what a real one refuses: else the tests would prove nothing."""

import base64
import hashlib
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from integration.signing.signing import PIPELINE

from fakes.sigstore import LocalSigstore
from fakes.sigstore.issuer import Issuer
from fakes.sigstore.keys import b64, new_key, sign, spki
from fakes.sigstore.log import audit_path, leaf_hash, tree_hash


def ask_for_certificate(
    sigstore: LocalSigstore, token: str, key: ec.EllipticCurvePrivateKey, proof: bytes
) -> httpx.Response:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    asked = {
        "credentials": {"oidcIdentityToken": token},
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": pem},
            "proofOfPossession": b64(proof),
        },
    }
    return httpx.post(f"{sigstore.url}/api/v2/signingCert", json=asked)


def test_whoever_holds_a_key_is_certified(sigstore: LocalSigstore) -> None:
    key = new_key()

    answer = ask_for_certificate(sigstore, sigstore.token(PIPELINE), key, sign(key, PIPELINE.encode()))

    leaf = answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"][0]
    names = x509.load_pem_x509_certificate(leaf.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [PIPELINE]


def test_a_key_of_another_is_not_certified(sigstore: LocalSigstore) -> None:
    proof = sign(new_key(), PIPELINE.encode())

    assert ask_for_certificate(sigstore, sigstore.token(PIPELINE), new_key(), proof).status_code == 401


@pytest.mark.parametrize("audience", ["sigstore", "another"])
def test_a_token_counts_only_from_its_issuer_and_for_sigstore(sigstore: LocalSigstore, audience: str) -> None:
    key = new_key()
    proof = sign(key, PIPELINE.encode())
    token = sigstore.issuer.token(PIPELINE, audience=audience)
    head, claims, _ = token.split(".")
    with Issuer.running() as stranger:
        foreign = stranger.token(PIPELINE)

    assert ask_for_certificate(sigstore, f"{head}.{claims}.AAAA", key, proof).status_code == 401
    assert ask_for_certificate(sigstore, foreign, key, proof).status_code == 401
    accepted = ask_for_certificate(sigstore, token, key, proof).status_code == 200
    assert accepted is (audience == "sigstore")


def log_request(key: ec.EllipticCurvePrivateKey, signature: bytes) -> dict[str, Any]:
    verifier = {
        "publicKey": {"rawBytes": b64(spki(key.public_key()))},
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    }
    digest = b64(hashlib.sha256(b"content").digest())
    signed = {"content": b64(signature), "verifier": verifier}
    return {"hashedRekordRequestV002": {"digest": digest, "signature": signed}}


def test_only_a_signature_that_fits_is_logged(sigstore: LocalSigstore) -> None:
    key, url = new_key(), f"{sigstore.url}/api/v2/log/entries"

    logged = httpx.post(url, json=log_request(key, sign(key, b"content")))
    refused = httpx.post(url, json=log_request(key, sign(key, b"another")))

    assert (logged.status_code, refused.status_code) == (201, 400)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 13])
def test_every_entry_of_a_log_of_any_size_can_be_proven(size: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]

    for index, leaf in enumerate(leaves):
        assert proven_root(leaf, index, size, audit_path(index, leaves)) == tree_hash(leaves)


def proven_root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Follow a proof upwards, by RFC 9162, section 2.1.3.2: not the way in which it was made."""
    place, last, root = index, size - 1, leaf
    for beside in path:
        assert last
        if place & 1 or place == last:
            root = hashlib.sha256(b"\1" + beside + root).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\1" + root + beside).digest()
        place, last = place >> 1, last >> 1
    assert not last
    return root


def test_a_checkpoint_is_signed_by_the_log(sigstore: LocalSigstore) -> None:
    entry = sigstore.log.append(b"{}")

    note, signature = entry["inclusionProof"]["checkpoint"]["envelope"].split("\n\n")
    raw = base64.b64decode(signature.split()[-1])
    assert base64.b64decode(entry["logId"]["keyId"])[:4] == raw[:4]
    sigstore.log.key.public_key().verify(raw[4:], f"{note}\n".encode(), ec.ECDSA(hashes.SHA256()))

"""A transparency log of signatures, as Rekor's API v2: a Merkle tree (RFC 6962) that signs its head."""

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fakes.serving import Answer, Request
from fakes.sigstore.keys import b64, described_log, log_id, new_key, now, sign

# Go's verifiers require the origin to be the host name of the log's URL, without the port.
ORIGIN = "127.0.0.1"


class SignatureLog:
    def __init__(self) -> None:
        self.key = new_key()
        self.began = now() - timedelta(hours=1)
        # Entries of others, so that there is something to prove from the first entry on.
        self.leaves = [leaf_hash(b"another's entry"), leaf_hash(b"one more")]

    def described(self, uri: str) -> dict[str, Any]:
        return described_log(uri, self.key, self.began)

    def answer(self, request: Request) -> Answer:
        asked = json.loads(request.body)["hashedRekordRequestV002"]
        try:
            _check(asked)
        except InvalidSignature:
            return Answer.of_json({"code": 3, "message": "the signature does not match the digest"}, 400)
        return Answer.of_json(self.append(_canonical(asked)), 201)

    def append(self, body: bytes) -> dict[str, Any]:
        """Give the entry as a bundle carries it."""
        index = len(self.leaves)
        self.leaves.append(leaf_hash(body))
        root = tree_hash(self.leaves)
        proof = {
            "logIndex": str(index),
            "rootHash": b64(root),
            "treeSize": str(len(self.leaves)),
            "hashes": [b64(each) for each in audit_path(index, self.leaves)],
            "checkpoint": {"envelope": self._checkpoint(root)},
        }
        return {
            "logIndex": str(index),
            "logId": {"keyId": b64(log_id(self.key))},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "inclusionProof": proof,
            "canonicalizedBody": b64(body),
        }

    def _checkpoint(self, root: bytes) -> str:
        note = f"{ORIGIN}\n{len(self.leaves)}\n{b64(root)}\n"
        signature = log_id(self.key)[:4] + sign(self.key, note.encode())
        return f"{note}\n\N{EM DASH} {ORIGIN} {b64(signature)}\n"


def _check(asked: dict[str, Any]) -> None:
    """Raise `InvalidSignature` unless the signature is the verifier's over the digest."""
    verifier = asked["signature"]["verifier"]
    if "x509Certificate" in verifier:
        raw = base64.b64decode(verifier["x509Certificate"]["rawBytes"])
        key = x509.load_der_x509_certificate(raw).public_key()
    else:
        key = load_der_public_key(base64.b64decode(verifier["publicKey"]["rawBytes"]))  # type: ignore[assignment]
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = base64.b64decode(asked["signature"]["content"])
    key.verify(signature, base64.b64decode(asked["digest"]), ec.ECDSA(Prehashed(hashes.SHA256())))


def _canonical(asked: dict[str, Any]) -> bytes:
    given = asked["signature"]["verifier"]
    kind = "x509Certificate" if "x509Certificate" in given else "publicKey"
    verifier = {"keyDetails": given["keyDetails"], kind: {"rawBytes": given[kind]["rawBytes"]}}
    spec = {
        "data": {"algorithm": "SHA2_256", "digest": asked["digest"]},
        "signature": {"content": asked["signature"]["content"], "verifier": verifier},
    }
    return rfc8785.dumps({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}})


def leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\0" + body).digest()


def tree_hash(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return hashlib.sha256(b"\1" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def audit_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """Give the hashes beside the way from a leaf to the root, the lowest first."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*audit_path(index, leaves[:split]), tree_hash(leaves[split:])]
    return [*audit_path(index - split, leaves[split:]), tree_hash(leaves[:split])]


def _split(size: int) -> int:
    """Give the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)

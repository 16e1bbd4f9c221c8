import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.trust import image, new_signer, plain
from steadfleet_signing.bundle import BUNDLE_TYPE, MOST_BUNDLE_BYTES, Bundle, pae
from steadfleet_signing.errors import MalformedBundleError

RAW = new_signer().sign(plain(image()))


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(RAW)
    change(content)
    return json.dumps(content).encode()


def material(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["verificationMaterial"]
    return found


def envelope(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["dsseEnvelope"]
    return found


def test_what_is_signed_is_the_payload_with_its_type_and_their_lengths() -> None:
    # The example of the DSSE specification.
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_bundle_is_written_as_every_sigstore_client_reads_it() -> None:
    content = json.loads(RAW)

    assert content["mediaType"] == BUNDLE_TYPE
    assert material(content).keys() == {"publicKey", "tlogEntries", "timestampVerificationData"}
    assert material(content)["tlogEntries"] == []
    assert material(content)["timestampVerificationData"] == {}
    assert [*envelope(content)["signatures"][0]] == ["sig", "keyid"]


def test_what_is_read_is_written_alike() -> None:
    assert Bundle.parse(RAW).to_json() == RAW


def test_what_protobuf_leaves_out_is_filled_in() -> None:
    def as_go_writes_it(content: dict[str, Any]) -> None:
        material(content).pop("tlogEntries")
        material(content)["timestampVerificationData"] = None
        envelope(content)["signatures"][0].pop("keyid")

    assert Bundle.parse(changed(as_go_writes_it)) == Bundle.parse(RAW)


def test_the_zeros_of_a_log_entry_are_filled_in() -> None:
    entry = {"inclusionProof": {"treeSize": "1"}}

    bundle = Bundle.parse(changed(lambda content: material(content).update(tlogEntries=[entry])))

    assert bundle.verification_material.tlog_entries == (
        {"logIndex": "0", "inclusionProof": {"logIndex": "0", "hashes": [], "treeSize": "1"}},
    )


STAMP = {"signedTimestamp": "AAAA"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(mediaType="application/json"), "mediaType: expected application/vnd.dev.sig"),
        (lambda c: c.update(extension=1), "extension"),
        (lambda c: c.pop("dsseEnvelope"), "dsseEnvelope"),
        (lambda c: c.update(dsseEnvelope=[]), "dsseEnvelope"),
        (lambda c: envelope(c).update(signatures=[]), "signatures"),
        (lambda c: envelope(c).update(signatures=envelope(c)["signatures"] * 2), "signatures"),
        (lambda c: envelope(c).update(payload=""), "at least one byte"),
        (lambda c: envelope(c).update(payload="AAA"), "payload: expected base64"),
        (lambda c: envelope(c).update(payload="AA-_"), "payload: expected base64"),
        (lambda c: envelope(c).update(payload="AAF="), "payload: expected base64"),
        (lambda c: envelope(c).update(payload=7), "payload: expected base64"),
        (lambda c: material(c).pop("publicKey"), "either a publicKey or a certificate"),
        (lambda c: material(c).update(certificate={"rawBytes": "AAAA"}), "either a publicKey or a cert"),
        (lambda c: material(c).update(x509CertificateChain={}), "x509CertificateChain"),
        (lambda c: material(c).update(tlogEntries=[{}] * 33), "32"),
        (lambda c: material(c)["timestampVerificationData"].update(rfc3161Timestamps=[STAMP] * 33), "32"),
    ],
)
def test_a_strange_bundle_is_refused_with_the_place(
    change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    with pytest.raises(MalformedBundleError, match=reason):
        Bundle.parse(changed(change))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "is not JSON"),
        (RAW.replace(b'{"mediaType"', b'{"mediaType":"","mediaType"', 1), "'mediaType' twice"),
        (b" " * (MOST_BUNDLE_BYTES + 1), "expected at most"),
    ],
)
def test_what_is_no_json_of_one_meaning_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(MalformedBundleError, match=reason):
        Bundle.parse(raw)


def test_what_a_stranger_wrote_breaks_no_line_and_fills_no_log() -> None:
    with pytest.raises(MalformedBundleError) as refused:
        Bundle.parse(b'{"\\n\\u001b[31m": 1, "' + b"x" * 100_000 + b'": 1}')

    assert len(str(refused.value)) < 1100
    assert str(refused.value).isprintable()

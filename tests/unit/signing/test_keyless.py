import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from fakes.serving import Answer, Request, serving
from fakes.sigstore.authority import CertificateAuthority
from fakes.sigstore.instance import LocalSigstore
from fakes.sigstore.issuer import AUDIENCE, BadTokenError, Issuer
from fakes.sigstore.log import SignatureLog
from fakes.sigstore.timestamps import TimestampAuthority
from fakes.trust import BUILDER, image, new_signer, plain, provenance, trusted_key, trusting
from steadfleet_signing import (
    Bundle,
    OidcIdentity,
    Subject,
    TrustMaterial,
    decide,
    verify_bundle,
)
from steadfleet_signing.errors import (
    SelfCheckError,
    SigningError,
    SigningServiceError,
    UntrustedIdentityError,
    WrongModeError,
)
from steadfleet_signing.signers import KeylessSigner, signer_for

BUILD = "https://ci.example/build.yml"
SECRET = "a secret of thirty-two bytes, which only this issuer knows"


class QuickIssuer(Issuer):
    """Signs tokens with a secret that the certificate authority knows too, and needs no server."""

    def token(self, subject: str, *, audience: str = AUDIENCE) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + 600}
        return jwt.encode(claims, SECRET)

    def claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"], audience=AUDIENCE)
        except jwt.InvalidTokenError as error:
            raise BadTokenError(str(error)) from error
        return claims


class FaultySigstore(LocalSigstore):
    """Answers at some paths what the test says instead."""

    faults: dict[str, Answer]

    def answer(self, request: Request) -> Answer:
        return self.faults.get(request.path) or super().answer(request)


@pytest.fixture(scope="module")
def running() -> Iterator[FaultySigstore]:
    issuer = QuickIssuer("https://issuer.example")
    sigstore = FaultySigstore(issuer, CertificateAuthority(issuer), SignatureLog(), TimestampAuthority())
    with serving(sigstore.answer) as host:
        sigstore.url = f"http://{host}"
        yield sigstore


@pytest.fixture
def sigstore(running: FaultySigstore) -> FaultySigstore:
    running.faults = {}
    return running


def signer(sigstore: LocalSigstore, identity: OidcIdentity | None = None) -> KeylessSigner:
    return KeylessSigner(json.dumps(sigstore.trust_config), lambda: sigstore.token(BUILD), identity)


def trusting_identity(sigstore: LocalSigstore, *keys: dict[str, Any], **changes: Any) -> TrustMaterial:
    identity = {"issuer": sigstore.issuer.url, "subject": BUILD, "builders": [BUILDER], **changes}
    policy = trusting(*keys, identities=[identity])
    return TrustMaterial.of(policy, json.dumps(sigstore.trusted_root).encode())


def test_an_identity_signs_and_is_known_by_issuer_and_subject(sigstore: FaultySigstore) -> None:
    keyless = signer(sigstore)

    verified = verify_bundle(keyless.sign(plain(image())), trusting_identity(sigstore))

    assert verified.signer == OidcIdentity(issuer=sigstore.issuer.url, subject=BUILD) == keyless.identity
    assert len(verified.times) == 1
    assert signer_for("prod", keyless) is keyless


def test_an_identity_may_speak_for_a_builder(sigstore: FaultySigstore) -> None:
    trust = trusting_identity(sigstore)
    verified = verify_bundle(signer(sigstore).sign(provenance(image())), trust)

    decision = decide(trust.policy, [image()], [verified], now=verified.times[0])

    assert decision.allowed
    assert decision.satisfied[0].signer == f"{BUILD} of {sigstore.issuer.url}"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example"},
        {"subject": BUILD + "x"},
        {"subject": BUILD[:-1]},
        {"subject": ".*"},
    ],
)
def test_another_identity_is_refused(sigstore: FaultySigstore, changes: dict[str, str]) -> None:
    with pytest.raises(UntrustedIdentityError):
        verify_bundle(signer(sigstore).sign(plain(image())), trusting_identity(sigstore, **changes))


def test_a_certificate_of_another_instance_is_refused(sigstore: FaultySigstore) -> None:
    issuer = sigstore.issuer
    other = LocalSigstore(issuer, CertificateAuthority(issuer), SignatureLog(), TimestampAuthority())
    other.url = sigstore.url

    with pytest.raises(UntrustedIdentityError):
        verify_bundle(signer(sigstore).sign(plain(image())), trusting_identity(other))


def test_a_policy_of_keys_and_identities_takes_either_for_what_it_is(sigstore: FaultySigstore) -> None:
    holder = new_signer()
    trust = trusting_identity(sigstore, trusted_key(holder))

    assert verify_bundle(holder.sign(plain(image())), trust).signer == holder.identity
    assert verify_bundle(signer(sigstore).sign(plain(image())), trust).signer != holder.identity


def test_a_certificate_is_refused_where_keys_are_trusted(sigstore: FaultySigstore) -> None:
    with pytest.raises(WrongModeError):
        verify_bundle(
            signer(sigstore).sign(plain(image())), TrustMaterial.of(trusting(trusted_key(new_signer())))
        )


@pytest.mark.parametrize("part", ["payload", "sig", "certificate", "log entry", "timestamp"])
def test_an_altered_part_is_refused(sigstore: FaultySigstore, part: str) -> None:
    content = json.loads(signer(sigstore).sign(plain(image())))
    material, envelope = content["verificationMaterial"], content["dsseEnvelope"]
    holder, name = {
        "payload": (envelope, "payload"),
        "sig": (envelope["signatures"][0], "sig"),
        "certificate": (material["certificate"], "rawBytes"),
        "log entry": (material["tlogEntries"][0], "canonicalizedBody"),
        "timestamp": (
            material["timestampVerificationData"]["rfc3161Timestamps"][0],
            "signedTimestamp",
        ),
    }[part]
    half = len(holder[name]) // 2
    holder[name] = (
        holder[name][:half] + ("A" if holder[name][half] != "A" else "B") + holder[name][half + 1 :]
    )

    with pytest.raises(UntrustedIdentityError):
        verify_bundle(json.dumps(content).encode(), trusting_identity(sigstore))


def test_the_defaults_that_protobuf_leaves_out_are_filled_in_for_sigstores_client(
    sigstore: FaultySigstore,
) -> None:
    sigstore.log = SignatureLog()
    sigstore.log.leaves.clear()  # the first entry of a log has number 0, and nothing beside it
    trust = trusting_identity(sigstore)
    content = json.loads(signer(sigstore).sign(plain(image())))
    entry = content["verificationMaterial"]["tlogEntries"][0]
    for message in (entry, entry["inclusionProof"]):
        assert message.pop("logIndex") == "0"
    assert entry["inclusionProof"].pop("hashes") == []

    assert verify_bundle(json.dumps(content).encode(), trust).times


def test_a_refusal_of_the_certificate_authority_is_told_with_its_words(sigstore: FaultySigstore) -> None:
    sigstore.faults["/api/v2/signingCert"] = Answer.of_json({"message": "no such project"}, status=403)

    with pytest.raises(SigningServiceError, match=r"answered 403: .*no such project"):
        signer(sigstore).sign(plain(image()))


def test_a_log_that_is_down_is_an_error_to_retry(sigstore: FaultySigstore) -> None:
    sigstore.faults["/api/v2/log/entries"] = Answer(503, b"overloaded")

    with pytest.raises(SigningServiceError, match="overloaded"):
        signer(sigstore).sign(plain(image()))


def test_a_timestamp_authority_that_is_down_is_named(sigstore: FaultySigstore) -> None:
    sigstore.faults["/api/v1/timestamp"] = Answer(503)

    with pytest.raises(SigningServiceError, match="does the timestamp authority answer"):
        signer(sigstore).sign(plain(image()))


def test_a_token_for_another_audience_is_refused_before_anything_is_sent(sigstore: FaultySigstore) -> None:
    keyless = KeylessSigner(
        json.dumps(sigstore.trust_config), lambda: sigstore.issuer.token(BUILD, audience="other")
    )

    with pytest.raises(SigningServiceError, match="token"):
        keyless.sign(plain(image()))


def test_signing_as_someone_else_than_expected_is_caught(sigstore: FaultySigstore) -> None:
    expected = OidcIdentity(issuer=sigstore.issuer.url, subject="https://ci.example/release.yml")

    with pytest.raises(SelfCheckError, match=r"is not by https://ci\.example/release\.yml"):
        signer(sigstore, expected).sign(plain(image()))


def test_what_sigstores_client_does_not_sign_is_refused_for_good(sigstore: FaultySigstore) -> None:
    commit = Subject(name="source", digest={"gitCommit": "a" * 40})

    with pytest.raises(SigningError, match="signs no such statement") as refused:
        signer(sigstore).sign(plain(commit))
    assert not isinstance(refused.value, SigningServiceError)


def test_a_trust_config_that_is_none_is_refused() -> None:
    with pytest.raises(SigningError, match="ClientTrustConfig"):
        KeylessSigner("{}", lambda: "token")


def test_a_bundle_with_a_certificate_is_written_as_it_was_read(sigstore: FaultySigstore) -> None:
    raw = signer(sigstore).sign(plain(image()))

    assert Bundle.parse(Bundle.parse(raw).to_json()) == Bundle.parse(raw)

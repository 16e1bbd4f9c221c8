"""A certificate authority for signers, as Fulcio's API v2, with its certificate-transparency log."""

import base64
import hashlib
import json
import struct
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from fakes.serving import Answer, Request
from fakes.sigstore.issuer import BadTokenError, Issuer
from fakes.sigstore.keys import (
    Authority,
    authority_extensions,
    described_log,
    key_usage,
    log_id,
    new_key,
    now,
    sign,
    spki,
)

LIFETIME = timedelta(minutes=10)
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


class CertificateLog:
    """Signs the promise (SCT) that a certificate will be logged; it keeps none."""

    def __init__(self) -> None:
        self.key = new_key()
        self.began = now() - timedelta(hours=1)

    def described(self, uri: str) -> dict[str, Any]:
        return described_log(uri, self.key, self.began)

    def promise(self, precertificate: x509.Certificate, issuer: ec.EllipticCurvePublicKey) -> bytes:
        """Give the extension's value: RFC 6962, section 3.2, over a certificate that lacks it."""
        moment = int(now().timestamp() * 1000)
        tbs = precertificate.tbs_certificate_bytes
        signed = struct.pack("!BBQH", 0, 0, moment, 1) + hashlib.sha256(spki(issuer)).digest()
        signature = sign(self.key, signed + len(tbs).to_bytes(3, "big") + tbs + b"\0\0")
        sct = b"\0" + log_id(self.key) + struct.pack("!QHBB", moment, 0, 4, 3) + _sized(signature)
        return _octet_string(_sized(_sized(sct)))


class CertificateAuthority:
    """Certifies a key for ten minutes for whom an ID token of `issuer` names."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.log = CertificateLog()
        self.root = Authority("root")
        self.intermediate = Authority("intermediate")
        below = self.root.builder(
            self.intermediate.subject, self.intermediate.key.public_key(), lifetime=timedelta(days=365)
        )
        below = authority_extensions(below, path_length=0)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        self.intermediate.certificate = self.root.sign(below.add_extension(usage, critical=False))

    def described(self, uri: str) -> dict[str, Any]:
        return self.root.described(uri, self.intermediate.certificate)

    def answer(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = self.issuer.claims(token or asked["credentials"]["oidcIdentityToken"])
            chain = self.certify(_proven_key(asked, claims["sub"]), claims["sub"])
        except (BadTokenError, InvalidSignature) as error:
            return Answer.of_json({"code": 16, "message": f"{type(error).__name__}: {error}"}, 401)
        pem = [each.public_bytes(Encoding.PEM).decode() for each in chain]
        # 200, not 201: Go's clients take nothing else.
        return Answer.of_json({"signedCertificateEmbeddedSct": {"chain": {"certificates": pem}}})

    def certify(self, key: ec.EllipticCurvePublicKey, subject: str) -> list[x509.Certificate]:
        builder = self._leaf(key, subject, now())
        promise = self.log.promise(self.intermediate.sign(builder), self.intermediate.key.public_key())
        builder = builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, promise), critical=False)
        return [self.intermediate.sign(builder), self.intermediate.certificate, self.root.certificate]

    def _leaf(
        self, key: ec.EllipticCurvePublicKey, subject: str, moment: datetime
    ) -> x509.CertificateBuilder:
        issuer = self.issuer.url.encode()
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (key_usage(), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
            (x509.SubjectAlternativeName([_alternative_name(subject)]), True),
            (x509.UnrecognizedExtension(_ISSUER, issuer), False),
            (x509.UnrecognizedExtension(_ISSUER_V2, b"\x0c" + _der_length(issuer) + issuer), False),
        ]
        builder = self.intermediate.builder(x509.Name([]), key, lifetime=LIFETIME, start=moment)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder


def _proven_key(asked: dict[str, Any], subject: str) -> ec.EllipticCurvePublicKey:
    """Give the key of a request by whom holds it: a signed CSR, or the subject signed with the key."""
    if encoded := asked.get("certificateSigningRequest"):
        csr = x509.load_pem_x509_csr(base64.b64decode(encoded))
        if not csr.is_signature_valid:
            raise InvalidSignature("the certificate signing request is not signed with its key")
        key = csr.public_key()
    else:
        given = asked["publicKeyRequest"]
        key = load_pem_public_key(given["publicKey"]["content"].encode())  # type: ignore[assignment]
        assert isinstance(key, ec.EllipticCurvePublicKey)
        proof = base64.b64decode(given["proofOfPossession"])
        key.verify(proof, subject.encode(), ec.ECDSA(hashes.SHA256()))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def _alternative_name(subject: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(subject) if "://" in subject else x509.RFC822Name(subject)


def _sized(content: bytes) -> bytes:
    return struct.pack("!H", len(content)) + content


def _octet_string(content: bytes) -> bytes:
    return b"\x04" + _der_length(content) + content


def _der_length(content: bytes) -> bytes:
    size = len(content)
    return bytes([size]) if size < 0x80 else bytes([0x81, size])  # nothing here is longer than 255

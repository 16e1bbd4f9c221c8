"""The parties' keys (all P-256), and how a trusted root writes them down."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

P256_SHA256 = "PKIX_ECDSA_P256_SHA_256"


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def log_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(spki(key.public_key())).digest()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def now() -> datetime:
    """Tell the time in whole seconds, as certificates and timestamps do."""
    return datetime.now(UTC).replace(microsecond=0)


def valid_from(moment: datetime) -> dict[str, str]:
    return {"start": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Steadfleet tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


class Authority:
    """A root certificate, its key, and the means to issue below it."""

    def __init__(self, common_name: str) -> None:
        self.key = new_key()
        self.began = now() - timedelta(hours=1)
        self.subject = name(common_name)
        builder = self.builder(self.subject, self.key.public_key(), lifetime=timedelta(days=3650))
        self.certificate = self.sign(authority_extensions(builder, path_length=1))

    def builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        lifetime: timedelta,
        start: datetime | None = None,
    ) -> x509.CertificateBuilder:
        start = start or self.began
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + lifetime)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer_id, critical=False)
        )

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self.key, hashes.SHA256())

    def described(self, uri: str, *chain: x509.Certificate) -> dict[str, Any]:
        """Write the chain (this root comes last by itself) as a trusted root does."""
        certificates = [*chain, self.certificate]
        return {
            "subject": {"organization": "Steadfleet tests", "commonName": "local"},
            "uri": uri,
            "certChain": {"certificates": [{"rawBytes": b64(der(each))} for each in certificates]},
            "validFor": valid_from(self.began),
        }


def authority_extensions(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=path_length), critical=True
    ).add_extension(key_usage(certificates=True), critical=True)


def key_usage(*, certificates: bool = False) -> x509.KeyUsage:
    """Allow to sign certificates, or else anything but them."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def described_log(uri: str, key: ec.EllipticCurvePrivateKey, began: datetime) -> dict[str, Any]:
    """Write a log's key as a trusted root does, for certificates and signatures alike."""
    return {
        "baseUrl": uri,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": b64(spki(key.public_key())),
            "keyDetails": P256_SHA256,
            "validFor": valid_from(began),
        },
        "logId": {"keyId": b64(log_id(key))},
    }

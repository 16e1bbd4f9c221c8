"""A timestamp authority (RFC 3161)."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from fakes.serving import Answer, Request
from fakes.sigstore.keys import Authority, der, key_usage, name, new_key, now, sign

_POLICY = "1.3.6.1.4.1.57264.2"


class TimestampAuthority:
    def __init__(self) -> None:
        self.root = Authority("timestamp root")
        self.key = new_key()
        builder = self.root.builder(name("timestamps"), self.key.public_key(), lifetime=timedelta(days=365))
        # RFC 3161, section 2.3: this use alone, and critical.
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(key_usage(), critical=True).add_extension(usage, critical=True)
        self.certificate = self.root.sign(builder)

    def described(self, uri: str) -> dict[str, Any]:
        return self.root.described(uri, self.certificate)

    def answer(self, request: Request) -> Answer:
        told = {"Content-Type": "application/timestamp-reply"}
        return Answer(200, self.stamp(tsp.TimeStampReq.load(request.body)), told)

    def stamp(self, request: tsp.TimeStampReq) -> bytes:
        content = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": _POLICY,
                "message_imprint": request["message_imprint"],
                "serial_number": secrets.randbits(63),
                "gen_time": now(),
                **({"nonce": request["nonce"]} if request["nonce"].native is not None else {}),
            }
        )
        token = cms.ContentInfo({"content_type": "signed_data", "content": self._signed(content)})
        response = {"status": {"status": "granted"}, "time_stamp_token": token}
        dumped: bytes = tsp.TimeStampResp(response).dump()
        return dumped

    def _signed(self, content: tsp.TSTInfo) -> cms.SignedData:
        return cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {"content_type": "tst_info", "content": content},
                "certificates": [asn1.Certificate.load(der(self.certificate))],
                "signer_infos": [self._signer(content)],
            }
        )

    def _signer(self, content: tsp.TSTInfo) -> dict[str, Any]:
        certificate = asn1.Certificate.load(der(self.certificate))
        identified = {"cert_hash": hashlib.sha256(der(self.certificate)).digest()}
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [hashlib.sha256(content.dump()).digest()]},
                {"type": "signing_certificate_v2", "values": [{"certs": [identified]}]},
            ]
        )
        issuer = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        return {
            "version": "v1",
            "sid": {"issuer_and_serial_number": issuer},
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": sign(self.key, attributes.dump()),
        }

"""The parts together, and the one file by which clients know them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from fakes.serving import Answer, Request, serving
from fakes.sigstore.authority import CertificateAuthority
from fakes.sigstore.issuer import Issuer
from fakes.sigstore.keys import valid_from
from fakes.sigstore.log import SignatureLog
from fakes.sigstore.timestamps import TimestampAuthority

_TRUST_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_TRUSTED_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_SIGNING_CONFIG = "application/vnd.dev.sigstore.signingconfig.v0.2+json"


class Service(StrEnum):
    CERTIFICATES = "/api/v2/signingCert"
    LOG = "/api/v2/log/entries"
    TIMESTAMPS = "/api/v1/timestamp"


@dataclass
class LocalSigstore:
    issuer: Issuer
    authority: CertificateAuthority
    log: SignatureLog
    timestamps: TimestampAuthority
    url: str = ""
    down: set[Service] = field(default_factory=set)
    """What answers 503."""

    @classmethod
    @contextmanager
    def running(cls, issuer: Issuer | None = None) -> Iterator["LocalSigstore"]:
        """Run an instance with keys of its own; it may share another's issuer."""
        if issuer is None:
            with Issuer.running() as own, cls.running(own) as sigstore:
                yield sigstore
            return
        sigstore = cls(issuer, CertificateAuthority(issuer), SignatureLog(), TimestampAuthority())
        with serving(sigstore.answer) as host:
            sigstore.url = f"http://{host}"
            yield sigstore

    def answer(self, request: Request) -> Answer:
        if request.path in self.down:
            return Answer(503)
        match request.path:
            case Service.CERTIFICATES:
                return self.authority.answer(request)
            case Service.LOG:
                return self.log.answer(request)
            case Service.TIMESTAMPS:
                return self.timestamps.answer(request)
        return Answer(404)

    def token(self, subject: str) -> str:
        """Give an ID token for `subject` (a URI, or an email address)."""
        return self.issuer.token(subject)

    @property
    def trust_config(self) -> dict[str, Any]:
        return {
            "mediaType": _TRUST_CONFIG,
            "trustedRoot": self.trusted_root,
            "signingConfig": self.signing_config,
        }

    @property
    def trusted_root(self) -> dict[str, Any]:
        return {
            "mediaType": _TRUSTED_ROOT,
            "tlogs": [self.log.described(self.url)],
            "certificateAuthorities": [self.authority.described(self.url)],
            "ctlogs": [self.authority.log.described(self.url)],
            "timestampAuthorities": [self.timestamps.described(self.timestamp_url)],
        }

    @property
    def signing_config(self) -> dict[str, Any]:
        return {
            "mediaType": _SIGNING_CONFIG,
            "caUrls": [self._service(self.url)],
            "oidcUrls": [self._service(self.issuer.url)],
            "rekorTlogUrls": [self._service(self.url, version=2)],
            "tsaUrls": [self._service(self.timestamp_url)],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        }

    @property
    def timestamp_url(self) -> str:
        return self.url + Service.TIMESTAMPS

    def write(self, folder: Path) -> Path:
        """Write the trust configuration, and beside it its two halves for clients that want them apart."""
        (folder / "trusted_root.json").write_text(json.dumps(self.trusted_root))
        (folder / "signing_config.json").write_text(json.dumps(self.signing_config))
        path = folder / "trust_config.json"
        path.write_text(json.dumps(self.trust_config))
        return path

    def _service(self, url: str, *, version: int = 1) -> dict[str, Any]:
        began = valid_from(self.log.began)
        return {"url": url, "majorApiVersion": version, "validFor": began, "operator": "steadfleet tests"}

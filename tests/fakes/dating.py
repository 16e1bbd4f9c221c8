"""A timestamp authority whose clock the test sets."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from asn1crypto import tsp
from rfc3161_client import TimestampRequestBuilder
from rfc3161_client.base import HashAlgorithm

from fakes.serving import Answer, Request
from fakes.sigstore import timestamps
from fakes.trust import NOW


class Dating:
    """Founded half a year before NOW; `set_clock` sets what the authority takes for now."""

    def __init__(self, set_clock: Callable[[datetime], None]) -> None:
        self._set_clock = set_clock
        set_clock(NOW - timedelta(days=180))
        self.authority = timestamps.TimestampAuthority()
        self.asked: list[Request] = []

    @property
    def trusted_root(self) -> bytes:
        authority = self.authority.described("https://time.example")
        media_type = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
        return json.dumps({"mediaType": media_type, "timestampAuthorities": [authority]}).encode()

    def stamp(self, message: bytes, at: datetime) -> bytes:
        builder = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
        self._set_clock(at)
        return self.authority.stamp(tsp.TimeStampReq.load(builder.build().as_bytes()))

    def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        return self.authority.answer(request)

"""Ask an RFC 3161 authority to say that a signature exists now."""

import urllib.error
import urllib.request
from datetime import timedelta

from rfc3161_client import TimestampRequestBuilder, decode_timestamp_response
from rfc3161_client.base import HashAlgorithm

from steadfleet_signing.errors import SigningError, SigningServiceError
from steadfleet_signing.timestamps import TimestampRefusedError, authorities_of, trusted_time

MOST_ANSWER_BYTES = 64 * 1024


class TimestampWitness:
    """A timestamp authority, and the trusted root that verifiers will hold its answers against."""

    def __init__(self, url: str, trusted_root: bytes, *, timeout: timedelta = timedelta(seconds=10)) -> None:
        if not url.startswith(("https://", "http://")):
            raise SigningError(f"timestamp authority {url!r}: expected an http or https URL")
        try:
            self._authorities = authorities_of(trusted_root)
        except ValueError as error:
            raise SigningError(f"the timestamp authority's trusted root {error}") from error
        if not self._authorities:
            raise SigningError("the timestamp authority's trusted root: expected it to name an authority")
        self._url, self._timeout = url, timeout

    def timestamp(self, signature: bytes) -> bytes:
        """Return a timestamp over the signature, which our verifiers would accept.

        Raises:
            SigningServiceError: the authority did not answer, or not with one.
        """
        request = TimestampRequestBuilder().data(signature).hash_algorithm(HashAlgorithm.SHA256).build()
        raw = self._ask(request.as_bytes())
        try:
            trusted_time(raw, signature, self._authorities)
        except TimestampRefusedError as error:
            raise SigningServiceError(f"{self._url}: its timestamp would not be believed: {error}") from error
        if decode_timestamp_response(raw).tst_info.nonce != request.nonce:
            raise SigningServiceError(f"{self._url}: its timestamp answers another request")
        return raw

    def _ask(self, query: bytes) -> bytes:
        headers = {"Content-Type": "application/timestamp-query"}
        request = urllib.request.Request(self._url, query, headers)  # noqa: S310  # http(s), checked
        try:
            timeout = self._timeout.total_seconds()
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310  # likewise
                return bytes(answer.read(MOST_ANSWER_BYTES))
        except (OSError, urllib.error.URLError) as error:
            raise SigningServiceError(f"{self._url}: no timestamp: {error}") from error

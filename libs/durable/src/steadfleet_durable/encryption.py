"""Encrypt what travels through the engine, so that it keeps what it cannot read.

Each payload is sealed by AES-256-GCM under a fresh nonce. Its metadata names the key and the namespace,
and both are bound to it: what was written in one namespace passes for nothing else.
"""

import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, EncodingPayloadConverter, PayloadCodec

from steadfleet_durable.connection_config import PAYLOAD_KEYS, EngineError
from steadfleet_durable.encryption_keys import Keyring

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NAMESPACE = "encryption-namespace"

_FORMAT = b"steadfleet payload 1"
_NONCE_BYTES = 12


class UnreadablePayloadError(EngineError):
    """A payload that cannot be decrypted here."""


class KeyMissingError(UnreadablePayloadError):
    """No key at hand has the id that the payload names."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"a payload is encrypted with key {key_id!r}, which this process does not have:"
            f" add its line to the file that {PAYLOAD_KEYS} names, and start the process again"
        )


class PayloadEncryption(PayloadCodec):
    """
    Encrypts with the keyring's current key; decrypts with whichever a payload names.

    Payloads that were never encrypted are read as they are: encryption can be switched on while
    workflows run. `reread` gives the keyring anew when a payload names a key that is not known yet.
    """

    def __init__(
        self, keyring: Keyring, namespace: str, *, reread: Callable[[], Keyring] | None = None
    ) -> None:
        self._keyring = keyring
        self._namespace = namespace.encode()
        self._reread = reread

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.opened(payload) if is_encrypted(payload) else payload for payload in payloads]

    def opened(self, payload: Payload) -> Payload:
        """Decrypt one; raises an `UnreadablePayloadError` that names the key, never what is inside."""
        key_id = payload.metadata[KEY_ID].decode(errors="replace")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        bound = _bound(payload.metadata[KEY_ID], payload.metadata[NAMESPACE])
        try:
            return Payload.FromString(AESGCM(self._key(key_id)).decrypt(nonce, sealed, bound))
        except (InvalidTag, ValueError) as error:
            raise UnreadablePayloadError(
                f"a payload encrypted with key {key_id!r} does not open: it was altered, or another key goes"
                " by the same id; compare the key files of whoever wrote it and of this process"
            ) from error

    def _sealed(self, payload: Payload) -> Payload:
        key_id = self._keyring.current
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(key_id.encode(), self._namespace)
        data = AESGCM(self._keyring.keys[key_id]).encrypt(nonce, payload.SerializeToString(), bound)
        metadata = {"encoding": ENCODING, KEY_ID: key_id.encode(), NAMESPACE: self._namespace}
        return Payload(metadata=metadata, data=nonce + data)

    def _key(self, key_id: str) -> bytes:
        if key_id not in self._keyring.keys and self._reread is not None:
            self._keyring = self._reread()
        try:
            return self._keyring.keys[key_id]
        except KeyError:
            raise KeyMissingError(key_id) from None


def is_encrypted(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCODING


def _bound(key_id: bytes, namespace: bytes) -> bytes:
    return b"\0".join((_FORMAT, key_id, namespace))


class _WithoutKeys(EncodingPayloadConverter):
    """Says what is missing where a process without keys meets an encrypted payload."""

    @property
    def encoding(self) -> str:
        return ENCODING.decode()

    def to_payload(self, value: object) -> None:
        """Leave every value to the others."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> object:  # noqa: ARG002  # theirs
        raise KeyMissingError(payload.metadata[KEY_ID].decode(errors="replace"))


class PayloadValues(PydanticPayloadConverter):
    """Pydantic's converter, which also knows an encrypted payload when it meets one."""

    def __init__(self) -> None:
        super().__init__()
        CompositePayloadConverter.__init__(self, *self.converters.values(), _WithoutKeys())

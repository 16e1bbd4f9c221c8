"""Who calls, and what they may: bearer tokens with the permissions that Temporal itself reads in them.

A permission is `<namespace>:<role>`; the namespace `temporal-system` stands for all of them.
"""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import jwt

from steadfleet_durable import get_logger

_ALGORITHMS = ("RS256", "ES256")
_ALL_NAMESPACES = "temporal-system"
_KEPT_SECONDS = 60.0
_ASKED_AGAIN_AFTER_SECONDS = 5.0
_ANSWERS_WITHIN_SECONDS = 5.0
_MOST_BYTES = 1 << 20

_log = get_logger(__name__)


class Role(IntEnum):
    """What Temporal's default authorizer makes of a role: each includes those below it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


_ROLES = {"read": Role.READ, "write": Role.WRITE, "admin": Role.ADMIN}


class TokenRefusedError(Exception):
    """A token that proves nothing; its text is for the caller."""


class KeysUnavailableError(Exception):
    """The keys that tokens are signed by cannot be had, so that nobody can be known."""


@dataclass(frozen=True)
class Caller:
    subject: str
    permissions: tuple[str, ...]

    def role_in(self, namespace: str) -> Role:
        scopes = (permission.rpartition(":") for permission in self.permissions)
        held = [
            _ROLES.get(role.lower()) for scope, _, role in scopes if scope in {namespace, _ALL_NAMESPACES}
        ]
        return max((role for role in held if role is not None), default=Role.NONE)


class Tokens:
    """Tells callers by their tokens: signed by a key of the set, for this audience, not expired."""

    def __init__(self, keys: "SigningKeys", audience: str) -> None:
        self._keys = keys
        self._audience = audience

    def caller(self, authorization: str | None) -> Caller:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefusedError("expected a bearer token")
        try:
            key = self._keys.find(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._audience,
                options={"require": ["exp", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(f"the token is refused: {error}") from error
        return Caller(claims["sub"], _strings(claims.get("permissions")))


class SigningKeys:
    """The key set, read again once a minute, and sooner for a key that it did not have."""

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._keys: Sequence[jwt.PyJWK] = ()

    def find(self, key_id: object) -> jwt.PyJWK:
        with self._lock:
            if self._age() > _KEPT_SECONDS:
                self._refresh()
            found = self._named(key_id)
            if found is None and self._age() > _ASKED_AGAIN_AFTER_SECONDS:
                self._refresh()
                found = self._named(key_id)
        if found is None:
            raise TokenRefusedError("the token is signed by a key that is not known here")
        return found

    def _named(self, key_id: object) -> jwt.PyJWK | None:
        if not self._keys:
            raise KeysUnavailableError("the keys that tokens are signed by cannot be had")
        return next((key for key in self._keys if key.key_id is not None and key.key_id == key_id), None)

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _refresh(self) -> None:
        """Read the set; what cannot be read leaves the keys from before."""
        self._read_at = self._clock()
        try:
            self._keys = tuple(jwt.PyJWKSet.from_json(_read(self._source)).keys)
        except (OSError, ValueError, jwt.PyJWTError) as error:
            _log.warning("the keys of tokens cannot be read", source=self._source, problem=str(error))


def _read(source: str) -> str:
    if not source.startswith(("http://", "https://")):
        return Path(source).read_text()
    with urllib.request.urlopen(source, timeout=_ANSWERS_WITHIN_SECONDS) as answer:  # noqa: S310  # see above
        written: bytes = answer.read(_MOST_BYTES)
    json.loads(written)
    return written.decode()


def _strings(claim: object) -> tuple[str, ...]:
    return tuple(said for said in claim if isinstance(said, str)) if isinstance(claim, list) else ()

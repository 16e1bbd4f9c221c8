"""Whom a token proves, and what its permissions allow."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from unit.codec_server.issuer import AUDIENCE, Issuer

from steadfleet_codec_server.callers import (
    Caller,
    KeysUnavailableError,
    Role,
    SigningKeys,
    TokenRefusedError,
    Tokens,
)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "jwks.json")


@pytest.fixture
def tokens(issuer: Issuer) -> Tokens:
    return Tokens(SigningKeys(str(issuer.file)), AUDIENCE)


@pytest.mark.parametrize("by", ["rsa", "ec"])
def test_a_token_of_the_issuer_names_its_caller(issuer: Issuer, tokens: Tokens, by: str) -> None:
    caller = tokens.caller(f"Bearer {issuer.token('prod:read', by=by)}")

    assert caller == Caller("ann@example.com", ("prod:read",))


def unsigned(issuer: Issuer) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"rsa"}').rstrip(b"=").decode()
    return f"{head}.{issuer.token('prod:admin').split('.')[1]}."


def signed_by_the_public_key(issuer: Issuer) -> str:
    """Sign as with a shared secret, by what everybody knows."""
    head = {"alg": "HS256", "kid": "rsa"}
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (head, {"sub": "x", "aud": AUDIENCE, "exp": int(time.time()) + 60})
    ]
    signature = algorithm.sign(b".".join(parts), issuer.file.read_bytes())
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


REFUSED: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda issuer: issuer.token("prod:read", exp=int(time.time()) - 1),
    "without an end": lambda issuer: issuer.token("prod:read", exp=None),
    "for another server": lambda issuer: issuer.token("prod:read", aud="grafana"),
    "for nobody": lambda issuer: issuer.token("prod:read", aud=None),
    "of nobody": lambda issuer: issuer.token("prod:read", sub=None),
    "of a subject that is no text": lambda issuer: issuer.token("prod:read", sub=7),
    "forged": lambda issuer: issuer.token("prod:read", key=rsa.generate_private_key(65537, 2048)),
    "by an unknown key": lambda issuer: issuer.token("prod:read", by="gone", key=issuer.keys["rsa"]),
    "by another algorithm": lambda issuer: issuer.token("prod:read", by="rsa", key=issuer.keys["ec"]),
    "unsigned": unsigned,
    "signed by the public key": signed_by_the_public_key,
    "no token": lambda _: "garbage",
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_token_that_proves_nothing_is_refused(issuer: Issuer, tokens: Tokens, why: str) -> None:
    with pytest.raises(TokenRefusedError):
        tokens.caller(f"Bearer {REFUSED[why](issuer)}")


@pytest.mark.parametrize("said", [None, "", "Bearer", "Bearer ", "Basic YW5uOnB3"])
def test_without_a_token_nobody_is_known(tokens: Tokens, said: str | None) -> None:
    with pytest.raises(TokenRefusedError, match="expected a bearer token"):
        tokens.caller(said)


@pytest.mark.parametrize(
    ("permissions", "role"),
    [
        ([], Role.NONE),
        (["prod:read"], Role.READ),
        (["prod:READ"], Role.READ),
        (["prod:read", "prod:write"], Role.WRITE),
        (["prod:admin"], Role.ADMIN),
        (["prod:worker"], Role.NONE),
        (["dev:admin", "prod"], Role.NONE),
        (["temporal-system:read"], Role.READ),
        (["system:admin", ":admin", "*:admin", "pro:admin", "prod2:admin", "Prod:admin"], Role.NONE),
    ],
)
def test_a_permission_is_one_namespace_s_and_a_role_includes_those_below(
    permissions: list[str], role: Role
) -> None:
    assert Caller("ann", tuple(permissions)).role_in("prod") == role


@pytest.mark.parametrize("claim", [None, "prod:read", {"prod": "read"}, [7, ["prod:read"]]])
def test_permissions_that_are_no_list_of_texts_allow_nothing(
    issuer: Issuer, tokens: Tokens, claim: object
) -> None:
    caller = tokens.caller(f"Bearer {issuer.token(permissions=claim)}")

    assert caller.role_in("prod") is Role.NONE


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_new_signing_key_is_found_but_strangers_do_not_make_the_set_be_read_each_time(
    issuer: Issuer,
) -> None:
    clock = Clock()
    keys = SigningKeys(str(issuer.file), clock)
    keys.find("rsa")
    issuer.keys["next"] = issuer.keys["ec"]
    issuer.publish()

    clock.now += 1
    with pytest.raises(TokenRefusedError):
        keys.find("next")
    clock.now += 10
    assert keys.find("next").key_id == "next"


def test_a_key_that_was_withdrawn_is_refused_a_minute_later(issuer: Issuer) -> None:
    clock = Clock()
    keys = SigningKeys(str(issuer.file), clock)
    keys.find("rsa")
    del issuer.keys["rsa"]
    issuer.publish()
    clock.now += 61

    with pytest.raises(TokenRefusedError):
        keys.find("rsa")


def test_keys_that_cannot_be_read_again_leave_those_from_before(issuer: Issuer) -> None:
    clock = Clock()
    keys = SigningKeys(str(issuer.file), clock)
    keys.find("rsa")
    issuer.file.write_text("{")
    clock.now += 61

    assert keys.find("rsa").key_id == "rsa"


def test_without_any_keys_nobody_can_be_known(issuer: Issuer, tokens: Tokens) -> None:
    issuer.file.unlink()

    with pytest.raises(KeysUnavailableError):
        tokens.caller(f"Bearer {issuer.token('prod:read')}")

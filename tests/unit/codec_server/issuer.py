"""An issuer of tokens, as an identity provider is one: a key set in a file, and what it signed."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "steadfleet-codec"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issuer:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.keys: dict[str, PrivateKey] = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
        }
        self.publish()

    def publish(self) -> None:
        self.file.write_text(
            json.dumps({"keys": [{**_public(key), "kid": name} for name, key in self.keys.items()]})
        )

    def token(self, *permissions: str, by: str = "rsa", key: PrivateKey | None = None, **claims: Any) -> str:
        """Return a token for an hour; a claim of None is left out."""
        said = {
            "sub": "ann@example.com",
            "aud": AUDIENCE,
            "exp": int(time.time()) + 3600,
            "permissions": list(permissions),
            **claims,
        }
        signing = key or self.keys[by]
        algorithm = "RS256" if isinstance(signing, rsa.RSAPrivateKey) else "ES256"
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, signing, algorithm, headers={"kid": by})


def _public(key: PrivateKey) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)

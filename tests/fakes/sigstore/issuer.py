"""An OpenID Connect issuer in a process of its own, and how its tokens are had and checked."""

import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt

AUDIENCE = "sigstore"
_LISTENING = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
_REDIRECT = "http://127.0.0.1/callback"


class BadTokenError(Exception):
    """The token is not one that this issuer gave for Sigstore, or is no longer."""


class Issuer:
    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Issuer"]:
        """Run `oidc-provider-mock` apart: its libraries warn, and here warnings are errors."""
        command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            # It logs every request: unread, it would stop once the pipe is full.
            reading = threading.Thread(target=deque, args=(process.stderr, 0))
            try:
                url = _address(process.stderr)
                reading.start()
                yield cls(url)
            finally:
                process.kill()
                if reading.ident:
                    reading.join()

    def token(self, subject: str, *, audience: str = AUDIENCE) -> str:
        """Log `subject` in, as a browser would, and give its ID token."""
        client = {"client_id": audience, "redirect_uri": _REDIRECT}
        asked = {**client, "response_type": "code", "scope": "openid"}
        answer = httpx.post(f"{self.url}/oauth2/authorize", params=asked, data={"sub": subject})
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        granted = {**client, "grant_type": "authorization_code", "code": code}
        answer = httpx.post(f"{self.url}/oauth2/token", data=granted, auth=(audience, "any"))
        token: str = answer.raise_for_status().json()["id_token"]
        return token

    def claims(self, token: str) -> dict[str, Any]:
        """Check the token against the issuer's published key; its tokens name no `kid`."""
        keys = httpx.get(f"{self.url}/jwks").raise_for_status().json()["keys"]
        try:
            claims: dict[str, Any] = jwt.decode(
                token, jwt.PyJWK(keys[0]), algorithms=["RS256"], audience=AUDIENCE, issuer=self.url
            )
        except jwt.InvalidTokenError as error:
            raise BadTokenError(str(error)) from error
        return claims


def _address(log: IO[str]) -> str:
    said = []
    for line in log:
        if match := _LISTENING.search(line):
            return match[1]
        said.append(line)
    raise RuntimeError("the OpenID Connect issuer did not start: " + "".join(said))

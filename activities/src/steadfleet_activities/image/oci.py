"""What an OCI registry is asked beside pushes: which digest a tag has, to give a tag, to delete.

Credentials are those of the Docker command line: `docker login` on the worker, or a credential helper.
"""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Build
from steadfleet_core.model import Digest, digest_of

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)
_TIME_LIMIT = 30.0
MOST_MANIFEST_BYTES = 4 * 2**20
"""The distribution specification's own limit."""
_LOCAL = re.compile(r"(localhost|127\.[0-9.]+)(:[0-9]+)?")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Repository:
    """Images of one name at one registry: `registry.example.com/golden/web`."""

    host: str
    name: str

    @classmethod
    def of(cls, place: str, family: str) -> "Repository":
        host, _, prefix = place.partition("/")
        if not host or ("." not in host and ":" not in host and host != "localhost"):
            raise RefusedError(
                f"{place} names no registry: expected a host and a prefix, such as "
                "registry.example.com/golden"
            )
        return cls(host, f"{prefix.strip('/')}/{family}".lstrip("/"))

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


@dataclass(frozen=True)
class Manifest:
    content: bytes
    media_type: str

    @property
    def digest(self) -> Digest:
        return digest_of(self.content)


def passing_tag(build: Build) -> str:
    """Name a copy at a registry until it is released: nobody looks for this."""
    return f"{build.version}-{build.run.rsplit('-', 1)[-1]}"


class Registries:
    """Speaks HTTPS, and plain HTTP with this machine's own registries only. Blocks."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Fetch a manifest by tag or digest; None if there is none."""
        answer = self.ask("GET", repository, f"manifests/{reference}", {"Accept": _MANIFESTS})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return Manifest(answer.content, answer.headers["content-type"])

    def tag(self, repository: Repository, manifest: Manifest, tag: str) -> None:
        self.put(repository, manifest, tag).raise_for_status()

    def put(self, repository: Repository, manifest: Manifest, reference: str) -> httpx.Response:
        """Send a manifest, under a tag or its digest."""
        headers = {"Content-Type": manifest.media_type}
        return self.ask("PUT", repository, f"manifests/{reference}", headers, manifest.content)

    def delete(self, repository: Repository, digest: Digest) -> None:
        """Delete a manifest with all its tags; safe when there is none."""
        answer = self.ask("DELETE", repository, f"manifests/{digest}")
        if answer.status_code in {httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.BAD_REQUEST}:
            raise RefusedError(
                f"registry {repository.host} allows no deletion: delete {repository}@{digest} by hand"
            )
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    def ask(
        self,
        method: str,
        repository: Repository,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        *,
        most: int = MOST_MANIFEST_BYTES,
    ) -> httpx.Response:
        """Ask below the repository, or for an absolute path at the same registry; `most` bytes are read."""
        scheme = "http" if _LOCAL.fullmatch(repository.host) else "https"
        below = path if path.startswith("/") else f"/v2/{repository.name}/{path}"
        headers = {**(headers or {}), "Accept-Encoding": "identity"}
        login = self._login(repository.host)
        # Blobs lie elsewhere at many registries; httpx gives no password to where it is sent on.
        with httpx.Client(timeout=_TIME_LIMIT, follow_redirects=method == "GET") as client:
            request = client.build_request(
                method, f"{scheme}://{repository.host}{below}", headers=headers, content=content
            )
            answer = _bounded(client, request, most)
            challenge = answer.headers.get("www-authenticate", "")
            if answer.status_code == httpx.codes.UNAUTHORIZED and challenge:
                request.headers["Authorization"] = _authorization(client, challenge, login)
                answer = _bounded(client, request, most)
        return answer

    def _login(self, host: str) -> tuple[str, str] | None:
        """Find user and password where the Docker command line keeps them."""
        home = Path(self._environment.get("HOME", "/"))
        folder = Path(self._environment.get("DOCKER_CONFIG") or home / ".docker")
        try:
            config = json.loads((folder / "config.json").read_text())
        except FileNotFoundError:
            return None
        helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
        if helper:
            return _helped(helper, host)
        said = config.get("auths", {}).get(host, {}).get("auth")
        if not said:
            return None
        user, _, password = base64.b64decode(said).decode().partition(":")
        return user, password


def _bounded(client: httpx.Client, request: httpx.Request, most: int) -> httpx.Response:
    """Send it, and read no more of the answer than that: a registry may be anybody's."""
    answer = client.send(request, stream=True)
    try:
        content = b""
        for chunk in answer.iter_raw():
            content += chunk
            if len(content) > most:
                raise RefusedError(
                    f"{request.url} answers with more than {most} bytes: nothing of it is read"
                )
    finally:
        answer.close()
    return httpx.Response(answer.status_code, headers=answer.headers, content=content, request=answer.request)


def _helped(helper: str, host: str) -> tuple[str, str] | None:
    program = shutil.which(f"docker-credential-{helper}")
    if program is None:
        raise RefusedError(
            f"docker-credential-{helper} is not installed, and Docker's config.json names it for {host}"
        )
    told = subprocess.run(  # noqa: S603 - the operator's own configuration names it
        [program, "get"], input=host.encode(), capture_output=True, check=False, timeout=_TIME_LIMIT
    )
    if told.returncode:
        return None
    found: dict[str, Any] = json.loads(told.stdout)
    return found["Username"], found["Secret"]


def _authorization(client: httpx.Client, challenge: str, login: tuple[str, str] | None) -> str:
    """Answer a registry's challenge: with the password, or with a token that it was changed for."""
    kind, _, rest = challenge.partition(" ")
    if kind.lower() != "bearer":
        user, password = login or ("", "")
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    asked = dict(_CHALLENGE.findall(rest))
    realm = asked.pop("realm", "")
    answer = client.get(realm, params=asked, auth=login)
    answer.raise_for_status()
    told = answer.json()
    return f"Bearer {told.get('token') or told.get('access_token')}"

"""The control API of a local cloud: what AWS has no call for. Nothing here works on AWS."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from steadfleet_core.errors import RefusedError

ENDPOINT = "AWS_ENDPOINT_URL"
_ANSWERS_WITHIN = 60.0

Inventory = Mapping[str, list[dict[str, Any]]]


class LocalCloud:
    """Raises `RefusedError` with what the cloud said, also where it cannot be asked."""

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    def of_environment(cls, env: Mapping[str, str]) -> Self:
        """Find the local cloud that AWS's own variables point at; refuse any other cloud."""
        url = env.get(ENDPOINT, "")
        where = url or "AWS itself"
        otherwise = (
            f"{where} is no local cloud: expected that of a running `steadfleet up`, as the production of "
            "the rehearsal is made there and taken away again"
        )
        if not url:
            raise RefusedError(otherwise)
        cloud = cls(url)
        try:
            health = cloud.get("health")
        except RefusedError as error:
            raise RefusedError(f"{otherwise} ({error})") from error
        if not (isinstance(health, dict) and health.get("local") is True):
            raise RefusedError(otherwise)
        return cloud

    def get(self, what: str) -> Any:
        return self._ask("GET", what)

    def inventory(self) -> Inventory:
        found: Inventory = self.get("inventory")
        return found

    def register_image(self, name: str, folder: Path, tags: Mapping[str, str], region: str) -> str:
        asked = {"name": name, "folder": str(folder), "tags": dict(tags), "region": region}
        return str(self._ask("POST", "images", asked)["image"])

    def begin_fault(self, kind: str, **options: Any) -> str:
        """Begin a fault, and return its id."""
        return str(self._ask("POST", "faults", {"kind": kind, **options})["id"])

    def end_fault(self, fault: str) -> None:
        """End it; the calls that it holds go on."""
        self._ask("DELETE", f"faults/{fault}")

    def holds(self, fault: str) -> bool:
        return bool(self.get(f"faults/{fault}")["holding"])

    def _ask(self, method: str, what: str, content: Mapping[str, Any] | None = None) -> Any:
        place = urlsplit(self.url)
        body = json.dumps(content).encode() if content is not None else None
        try:
            with closing(
                http.client.HTTPConnection(place.hostname or "", place.port, timeout=_ANSWERS_WITHIN)
            ) as connection:
                connection.request(method, f"/_local/{what}", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RefusedError(f"{self.url} does not answer: {error}") from error
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise RefusedError(f"{self.url}: {what}: {said.decode(errors='replace')[:500]}")
        try:
            return json.loads(said)
        except ValueError as error:
            raise RefusedError(f"{self.url}: {what}: answered no JSON") from error

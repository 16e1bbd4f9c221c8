"""What there is of a run in a Docker engine. Every method blocks."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote

import httpx

from steadfleet_activities.image.names import OURS, released_as
from steadfleet_activities.janitor.scope import Kind, Scope, Thing, isolated, released
from steadfleet_core.errors import RefusedError
from steadfleet_ports.lease import Residue

DEFAULT_HOST = "unix:///var/run/docker.sock"
PLACE = "docker"
_TIME = 60.0

# In the order in which they go: a container keeps all the others.
_LISTS: dict[Kind, tuple[str, Callable[[Any], list[Any]]]] = {
    Kind.CONTAINER: ("/containers/json", lambda answer: answer),
    Kind.IMAGE: ("/images/json", lambda answer: answer),
    Kind.VOLUME: ("/volumes", lambda answer: answer["Volumes"] or []),
    Kind.NETWORK: ("/networks", lambda answer: answer),
}
_DELETES = {
    Kind.CONTAINER: "/containers/{}?force=1&v=1",
    Kind.IMAGE: "/images/{}?force=1",
    Kind.VOLUME: "/volumes/{}?force=1",
    Kind.NETWORK: "/networks/{}",
}


class DockerEngine:
    """Sweeps one engine by label. It speaks the engine's own HTTP: no client program is needed."""

    def __init__(self, host: str = DEFAULT_HOST) -> None:
        scheme, _, rest = host.partition("://")
        if scheme not in {"unix", "tcp"} or not rest:
            raise RefusedError(
                f"DOCKER_HOST={host}: expected unix:///path/of/the.sock or tcp://host:port of an engine"
            )
        transport = httpx.HTTPTransport(uds=rest) if scheme == "unix" else httpx.HTTPTransport()
        address = "http://docker" if scheme == "unix" else f"http://{rest}"
        self._host = host
        self._http = httpx.Client(transport=transport, base_url=address, timeout=_TIME, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def problem(self) -> str | None:
        """Say why no engine answers; None if one does."""
        try:
            self._http.get("/_ping").raise_for_status()
        except httpx.HTTPError as error:
            return f"no Docker engine answers at {self._host}: {error}"
        return None

    def look(self, scope: Scope) -> list[Thing]:
        kept = self._released()
        return [thing for kind in _LISTS for thing in self._listed(kind, scope, kept)]

    def sweep(self, scope: Scope) -> Residue:
        before = self.look(scope)
        why = {thing.key: self._remove(thing) for thing in before}
        after = {thing.key: thing for thing in self.look(scope)}
        left = tuple(thing.left(why.get(key) or "it does not go") for key, thing in after.items())
        return Residue(left=left, removed=tuple(one.left() for one in before if one.key not in after))

    def _released(self) -> frozenset[str]:
        """Name the images that can be found by family: by a name, for a label cannot be given later."""
        answer = self._http.get("/images/json", params={"filters": json.dumps({"reference": [f"{OURS}*"]})})
        answer.raise_for_status()
        return frozenset(one["Id"] for one in answer.json() if any(map(released_as, one["RepoTags"] or ())))

    def _listed(self, kind: Kind, scope: Scope, kept: frozenset[str]) -> Iterator[Thing]:
        path, items = _LISTS[kind]
        key, value = scope.tag
        label = f"{key}={value}" if value else key
        stopped_too = {"all": "1"} if kind is Kind.CONTAINER else {}
        answer = self._http.get(path, params={"filters": json.dumps({"label": [label]}), **stopped_too})
        answer.raise_for_status()
        for one in items(answer.json()):
            thing = Thing(PLACE, kind, one.get("Id") or one["Name"], _name(one), one.get("Labels") or {})
            # A container has its image's labels too: one of a released image is somebody's own, unless a
            # drill made it.
            own = released(thing) or bool({one.get("Id"), one.get("ImageID")} & kept)
            if scope.takes(thing) and (isolated(thing) or not own):
                yield thing

    def _remove(self, thing: Thing) -> str:
        try:
            answer = self._http.delete(_DELETES[thing.kind].format(quote(thing.id, safe="")))
        except httpx.HTTPError as error:
            return f"no answer: {error}"
        if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
            return ""
        return f"{answer.status_code}: {_said(answer)}"


def _name(one: Mapping[str, Any]) -> str:
    names = one.get("Names") or one.get("RepoTags") or [one.get("Name", "")]
    return str(names[0]).removeprefix("/")


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))
    except ValueError:
        return answer.text.strip()

"""What a listener does with a request: its rules, then its default actions, then a healthy target."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

Target = tuple[str, int]  # address and port
# the healthy targets of a target group, by its ARN
Healthy = Callable[[str], Sequence[Target]]
_ACTIONS = {"forward", "fixed-response"}
_CONDITIONS = {"path-pattern": "PathPatternConfig", "host-header": "HostHeaderConfig"}
_PROTOCOLS = {"HTTP", "TCP"}


@dataclass(frozen=True)
class Reply:
    """What the load balancer itself answers."""

    status: int
    body: str = ""
    content_type: str = "text/plain"

    @property
    def wire(self) -> bytes:
        head = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\nContent-Type: {self.content_type}"
        body = self.body.encode()
        return f"{head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Request:
    """The head of an HTTP request, as far as a rule may ask for it."""

    path: str
    host: str

    @classmethod
    def read(cls, head: Sequence[bytes]) -> Request:
        """Read a head's lines; ValueError if the first is no request line."""
        _, target, _ = head[0].decode("latin-1").split(" ")
        hosts = [line.partition(b":")[2] for line in head[1:] if line.lower().startswith(b"host:")]
        host = hosts[0].decode("latin-1").strip() if hosts else ""
        return cls(urlsplit(target).path, host.partition(":")[0].lower())


class Routing:
    """One listener of moto's, read at every request without the cloud's lock."""

    def __init__(self, listener: Any, healthy: Healthy, dice: random.Random) -> None:
        self._listener = listener
        self._healthy = healthy
        self._dice = dice
        self._turn = itertools.count()

    @property
    def speaks_http(self) -> bool:
        return bool(self._listener.protocol == "HTTP")

    def decide(self, request: Request | None) -> Target | Reply:
        """Choose a target, or what to answer without one; only HTTP can be asked for more than a target."""
        action = self._actions(request)[-1]
        if action.type == "fixed-response":
            said = action.data["FixedResponseConfig"]
            return Reply(
                int(said["StatusCode"]), said.get("MessageBody", ""), said.get("ContentType", "text/plain")
            )
        groups = list(weighted_groups(action))
        weights = [weight for _, weight in groups]
        if not any(weights):
            return Reply(503)
        ((arn, _),) = self._dice.choices(groups, weights)
        targets = self._healthy(arn)
        return targets[next(self._turn) % len(targets)] if targets else Reply(503)

    def groups(self) -> set[str]:
        """Name every target group that a request may be sent to."""
        actions = [*self._listener.default_actions, *(one for rule in self._rules() for one in rule.actions)]
        return {arn for action in actions for arn, weight in weighted_groups(action) if weight}

    def _actions(self, request: Request | None) -> Any:
        for rule in self._rules() if request else ():
            if all(_meets(request, condition) for condition in rule.conditions):
                return rule.actions
        return self._listener.default_actions

    def _rules(self) -> list[Any]:
        rules = list(self._listener._non_default_rules.values())  # noqa: SLF001 - moto has no way to list them
        return sorted(rules, key=lambda rule: int(rule.priority))


def weighted_groups(action: Any) -> Iterable[tuple[str, int]]:
    """Name the target groups of a forward action, with their weights."""
    if action.type != "forward":
        return
    if "ForwardConfig" in action.data:
        for group in action.data["ForwardConfig"].get("TargetGroups", []):
            yield group["TargetGroupArn"], int(group.get("Weight", 1))
    else:
        yield action.data["TargetGroupArn"], 1


def unsupported(protocol: str | None, actions: Iterable[Any], conditions: Iterable[Any] = ()) -> str | None:
    """Say what of this no load balancer here could do; None if there is nothing."""
    if protocol is not None and protocol not in _PROTOCOLS:
        return f"protocol {protocol}: it speaks HTTP and TCP, and holds no certificates"
    kinds = [str(action.get("Type")) for action in actions]
    if strange := [kind for kind in kinds if kind not in _ACTIONS]:
        return f"action {strange[0]}: it can forward, and answer a fixed-response"
    fields = [str(condition.get("Field")) for condition in conditions]
    if strange := [name for name in fields if name not in _CONDITIONS]:
        return f"condition {strange[0]}: it can tell requests by path-pattern and host-header"
    return None


def _meets(request: Request | None, condition: Any) -> bool:
    field = condition["Field"]
    patterns = condition.get("Values") or condition.get(_CONDITIONS[field], {}).get("Values", [])
    if request is None:
        return False
    if field == "host-header":
        return any(fnmatchcase(request.host, pattern.lower()) for pattern in patterns)
    return any(fnmatchcase(request.path, pattern) for pattern in patterns)

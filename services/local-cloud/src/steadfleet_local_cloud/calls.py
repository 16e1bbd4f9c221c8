"""One AWS API call, as far as the local cloud must understand it: who asked for what."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

Environ = dict[str, Any]

_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_CBOR_PATH = re.compile(r"^/service/[^/]+/operation/(?P<action>[^/]+)$")
_READ_ONLY = re.compile(r"^(Describe|Get|List|Head|Search|Lookup|Assume|BatchGet)")
_IDS = re.compile(
    r"\b(?:i|ami|lt|vol|eni|sg|snap|subnet|vpc|key|eipalloc|r)-[0-9a-f]{8,17}\b|\barn:aws:[^\s\"<&]+"
    r"|(?<=\"CommandId\": \")[0-9a-f-]{36}"
)
_S3_ACTIONS = {
    ("GET", 0): "ListBuckets",
    ("GET", 1): "ListObjectsV2",
    ("GET", 2): "GetObject",
    ("PUT", 1): "CreateBucket",
    ("PUT", 2): "PutObject",
    ("DELETE", 1): "DeleteBucket",
    ("DELETE", 2): "DeleteObject",
    ("HEAD", 1): "HeadBucket",
    ("HEAD", 2): "HeadObject",
    ("POST", 1): "DeleteObjects",
    ("POST", 2): "CompleteMultipartUpload",
}
_EBS_ACTIONS = [
    ("GET", re.compile(r"^/snapshots/[^/]+/blocks$"), "ListSnapshotBlocks"),
    ("GET", re.compile(r"^/snapshots/[^/]+/blocks/[^/]+$"), "GetSnapshotBlock"),
    ("GET", re.compile(r"^/snapshots/[^/]+/changedblocks$"), "ListChangedBlocks"),
    ("PUT", re.compile(r"^/snapshots/[^/]+/blocks/[^/]+$"), "PutSnapshotBlock"),
    ("POST", re.compile(r"^/snapshots/completion/[^/]+$"), "CompleteSnapshot"),
    ("POST", re.compile(r"^/snapshots$"), "StartSnapshot"),
]
_ZONES_PATH = r"^/[\d-]+/hostedzone"
_ROUTE53_ACTIONS = [
    ("POST", re.compile(rf"{_ZONES_PATH}$"), "CreateHostedZone"),
    ("GET", re.compile(rf"{_ZONES_PATH}$"), "ListHostedZones"),
    ("GET", re.compile(rf"{_ZONES_PATH}sbyname$"), "ListHostedZonesByName"),
    ("GET", re.compile(rf"{_ZONES_PATH}/[^/]+$"), "GetHostedZone"),
    ("DELETE", re.compile(rf"{_ZONES_PATH}/[^/]+$"), "DeleteHostedZone"),
    ("POST", re.compile(rf"{_ZONES_PATH}/[^/]+/rrset/?$"), "ChangeResourceRecordSets"),
    ("GET", re.compile(rf"{_ZONES_PATH}/[^/]+/rrset/?$"), "ListResourceRecordSets"),
    ("POST", re.compile(rf"{_ZONES_PATH}/[^/]+/associatevpc/?$"), "AssociateVPCWithHostedZone"),
    ("POST", re.compile(rf"{_ZONES_PATH}/[^/]+/disassociatevpc/?$"), "DisassociateVPCFromHostedZone"),
    ("GET", re.compile(r"^/[\d-]+/change/[^/]+$"), "GetChange"),
    ("POST", re.compile(r"^/[\d-]+/tags/[^/]+/.+$"), "ChangeTagsForResource"),
    ("GET", re.compile(r"^/[\d-]+/tags/[^/]+/.+$"), "ListTagsForResource"),
]


@dataclass(frozen=True)
class Call:
    """Service and action in AWS's own words; parameters flat, as the protocol wrote them."""

    service: str
    region: str
    action: str
    parameters: dict[str, Any]
    user_agent: str

    @classmethod
    def read(cls, environ: Environ) -> Call:
        """Understand a request, leaving its body to be read again."""
        body = _body(environ)
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = scope["service"] if scope else ""
        action, parameters = _action(environ, service, body)
        return cls(
            service=service,
            region=scope["region"] if scope else "",
            action=action,
            parameters=parameters,
            user_agent=environ.get("HTTP_USER_AGENT", ""),
        )

    @property
    def mutating(self) -> bool:
        return not _READ_ONLY.match(self.action)

    @property
    def speaks_json(self) -> bool:
        return self.service not in {"ec2", "autoscaling", "elasticloadbalancing", "s3", "route53", "rds"}


def resource_ids(body: bytes) -> list[str]:
    """Every resource id in an answer, in order of appearance, once each."""
    return list(dict.fromkeys(_IDS.findall(body.decode(errors="replace"))))


def _body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        body: bytes = stream.read(int(length))
    else:
        body = stream.read() if environ.get("wsgi.input_terminated") else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _action(environ: Environ, service: str, body: bytes) -> tuple[str, dict[str, Any]]:
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return target.rpartition(".")[2], _json_parameters(body)
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        query |= dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if "Action" in query:
        return query.pop("Action"), {key: value for key, value in query.items() if key != "Version"}
    path = environ.get("PATH_INFO", "")
    if found := _CBOR_PATH.match(path):
        return found["action"], {}
    return _rest_action(service, environ["REQUEST_METHOD"], path, query, body)


def _rest_action(
    service: str, method: str, path: str, query: dict[str, str], body: bytes
) -> tuple[str, dict[str, Any]]:
    if service in {"s3", ""}:
        return _s3_action(method, path, query)
    if service == "ebs":
        return _by_path(_EBS_ACTIONS, method, path), {"path": path} | query
    if service == "route53":
        told = {"body": body.decode(errors="replace")} if body else {}
        return _by_path(_ROUTE53_ACTIONS, method, path), {"path": path} | query | told
    return f"{method} {path}", query


def _s3_action(method: str, path: str, query: dict[str, str]) -> tuple[str, dict[str, Any]]:
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    parameters = {name: value for name, value in (("Bucket", bucket), ("Key", key)) if value} | query
    return _S3_ACTIONS.get((method, bool(bucket) + bool(key)), f"{method} {path}"), parameters


def _by_path(actions: list[tuple[str, re.Pattern[str], str]], method: str, path: str) -> str:
    found = (action for verb, pattern, action in actions if verb == method and pattern.match(path))
    return next(found, f"{method} {path}")


def _json_parameters(body: bytes) -> dict[str, Any]:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parameters if isinstance(parameters, dict) else {}

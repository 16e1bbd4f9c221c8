"""Answers of our own, in the error form of each AWS protocol."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus

from steadfleet_local_cloud.calls import Call

SERVER = "steadfleet-local-cloud (local; not AWS)"
_CODE = re.compile(rb"<Code>([^<]+)</Code>")

# service → (status, code) of "you ask too often", as each API says it
_THROTTLED = {
    "ec2": (503, "RequestLimitExceeded"),
    "autoscaling": (400, "Throttling"),
    "elasticloadbalancing": (400, "Throttling"),
    "s3": (503, "SlowDown"),
    "route53": (400, "Throttling"),
    "rds": (400, "Throttling"),
}
_BROKEN = {
    "ec2": "InternalError",
    "autoscaling": "InternalFailure",
    "elasticloadbalancing": "InternalFailure",
    "s3": "InternalError",
    "route53": "InternalFailure",
    "rds": "InternalFailure",
}
_QUERY_ERROR = "<ErrorResponse><Error>{error}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
_ERRORS = {
    "ec2": "<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>",
    "s3": "<Error>{error}<RequestId>{request_id}</RequestId></Error>",
}


@dataclass(frozen=True)
class Answer:
    """A whole HTTP response."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status_line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    @property
    def error_code(self) -> str | None:
        """Return the AWS error code of a refusal, in whichever protocol it is written."""
        if self.status < HTTPStatus.BAD_REQUEST:
            return None
        if found := _CODE.search(self.body):
            return found[1].decode()
        try:
            kind = json.loads(self.body).get("__type", "")
        except (ValueError, AttributeError):
            return f"HTTP {self.status}"
        return str(kind).rpartition("#")[2]


def json_answer(content: object, status: int = 200) -> Answer:
    body = json.dumps(content, indent=2, sort_keys=True, default=str).encode() + b"\n"
    return Answer(status, body, [("Content-Type", "application/json")])


def throttled(call: Call) -> Answer:
    status, code = _THROTTLED.get(call.service, (400, "ThrottlingException"))
    return refusal(call, status, code, "Rate exceeded (a fault of the local cloud)")


def broken(call: Call) -> Answer:
    code = _BROKEN.get(call.service, "InternalServerError")
    return refusal(call, 500, code, "An internal error has occurred (a fault of the local cloud)")


def defect(call: Call, error: Exception) -> Answer:
    """Answer 501, which no SDK retries: asking again would not mend our own mistake."""
    return refusal(call, 501, "LocalCloudDefect", f"{type(error).__name__}: {error}")


def refusal(call: Call, status: int, code: str, message: str) -> Answer:
    if call.speaks_json:
        body = json.dumps({"__type": code, "message": message})
        return Answer(status, body.encode(), [("Content-Type", "application/x-amz-json-1.1")])
    body = _ERRORS.get(call.service, _QUERY_ERROR).format(
        error=f"<Code>{code}</Code><Message>{escape(message)}</Message>", request_id=uuid.uuid4()
    )
    return Answer(status, body.encode(), [("Content-Type", "text/xml")])

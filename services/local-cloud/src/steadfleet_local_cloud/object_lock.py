"""
S3's object lock where moto is weaker than AWS: what is kept under COMPLIANCE stays kept.

moto lets anybody shorten a retention, suspend the versions that it protects, answers a question
for the retention with the object itself, and takes a body for whatever its checksum says it is.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from moto.s3.exceptions import AccessDeniedByLock, InvalidBucketState, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from steadfleet_local_cloud.patches import Patches

_RETENTION = (
    '<?xml version="1.0" encoding="UTF-8"?><Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
)
_CHECKSUMS = {
    "content-md5": hashlib.md5,
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha1": hashlib.sha1,
}
Retention = tuple[str | None, str | None]  # mode, until


class NoSuchRetentionError(S3ClientError):
    code = "NoSuchObjectLockConfiguration"
    message = "The specified object does not have a ObjectLock configuration"


class BadDigestError(S3ClientError):
    code = "BadDigest"
    message = "The checksum you specified did not match what we received."


class ObjectLock:
    """Wrap moto's S3: the retention of objects, and what would undo it."""

    def __init__(self, patches: Patches) -> None:
        patches.wrap(S3Response, "get_object", _get_object)
        patches.wrap(S3Response, "put_object", _put_object)
        patches.wrap(S3Response, "put_object_retention", _put_retention)
        patches.wrap(S3Backend, "put_bucket_versioning", _put_bucket_versioning)


def _get_object(original: Any, response: Any) -> Any:
    if "retention" not in response.querystring:
        return original(response)
    key, _ = response._get_key()  # noqa: SLF001 - as moto's own actions find theirs
    if not key.lock_mode:
        raise NoSuchRetentionError
    body = _RETENTION.format(mode=key.lock_mode, until=key.lock_until)
    return 200, {"content-type": "application/xml"}, body


def _put_object(original: Any, response: Any) -> Any:
    for header, algorithm in _CHECKSUMS.items():
        told = response.headers.get(header)
        if told and base64.b64encode(algorithm(response.body).digest()).decode() != told:
            raise BadDigestError
    return original(response)


def _put_retention(original: Any, response: Any) -> Any:
    """Refuse to weaken a lock that holds: COMPLIANCE for anybody, GOVERNANCE without a bypass."""
    key, _ = response._get_key()  # noqa: SLF001 - as above
    bypass = response.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
    held: Retention = key.lock_mode, key.lock_until
    wanted: Retention = response._mode_until_from_body()  # noqa: SLF001 - as above
    if held[0] and key.is_locked(governance_bypass=bypass) and _weaker(wanted, held):
        raise AccessDeniedByLock
    return original(response)


def _weaker(wanted: Retention, held: Retention) -> bool:
    mode, until = wanted
    if not mode or not until or (held[0] == "COMPLIANCE" and mode != "COMPLIANCE"):
        return True
    return _moment(until) < _moment(str(held[1]))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _put_bucket_versioning(original: Any, backend: Any, bucket_name: str, status: str) -> None:
    if backend.get_bucket(bucket_name).object_lock_enabled and status != "Enabled":
        raise InvalidBucketState(
            "An Object Lock configuration is present on this bucket: its versioning state cannot be changed."
        )
    original(backend, bucket_name, status)

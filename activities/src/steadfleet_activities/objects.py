"""Objects in an S3 bucket, by the digest of their content: what is read is what was written."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, digest_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Words:
    """How a person calls what is kept; `afresh` is what to do when it cannot be trusted any more."""

    kept: str
    one: str
    afresh: str


class Objects:
    """Written once, never changed, and verified when they are read."""

    def __init__(self, s3: "S3Client", bucket: str, words: Words) -> None:
        self._s3 = s3
        self.bucket = bucket
        self._words = words

    def put(self, key: str, content: bytes, content_type: str) -> None:
        try:
            # One call both looks and writes. Two that write at once write the same.
            self._s3.put_object(
                Bucket=self.bucket, Key=key, Body=content, ContentType=content_type, IfNoneMatch="*"
            )
        except ClientError as error:
            if code_of(error) == "PreconditionFailed":
                return
            raise self._explained(error, key) from error

    def get(self, key: str, digest: Digest) -> bytes:
        """Read what has this digest, or refuse what is not that any more."""
        try:
            content = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise self._explained(error, key) from error
        found = digest_of(content)
        if found != digest:
            raise RefusedError(
                f"s3://{self.bucket}/{key} was changed after it was stored: its digest is {found}, expected "
                f"{digest}; nothing is done from it. Find out who wrote it, and {self._words.afresh}"
            )
        return content

    def stored_at(self, key: str) -> datetime:
        """Return when it was written: that happens once."""
        try:
            return self._s3.head_object(Bucket=self.bucket, Key=key)["LastModified"]
        except ClientError as error:
            raise self._explained(error, key) from error

    def _explained(self, error: ClientError, key: str) -> Exception:
        match code_of(error):
            case "NoSuchBucket":
                return RefusedError(
                    f"there is no bucket {self.bucket}, where {self._words.kept} are stored: create it, or "
                    "name another in STEADFLEET_BUCKET"
                )
            case "NoSuchKey" | "404":
                return RefusedError(
                    f"s3://{self.bucket}/{key} does not exist: expected {self._words.one}; look for a "
                    "lifecycle rule that deletes it, or for another STEADFLEET_BUCKET in this worker"
                )
        return error


def hex_of(digest: Digest) -> str:
    # A colon in a key has to be escaped by everything that reads buckets.
    return digest.removeprefix("sha256:")

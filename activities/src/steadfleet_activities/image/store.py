"""What a build leaves by digest: its sources, SBOMs, test results and logs."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from steadfleet_activities.configuring import PLANS
from steadfleet_activities.objects import Objects, Words, hex_of
from steadfleet_core.model import Digest, digest_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

BUCKET = PLANS


@dataclass(frozen=True)
class _Form:
    folder: str
    ending: str
    content_type: str
    words: Words


def _form(folder: str, ending: str, content_type: str, one: str) -> _Form:
    kept = f"the {folder} of image builds"
    return _Form(folder, ending, content_type, Words(kept, one, "start a new build"))


class Kept(Enum):
    """The kinds of objects, each in a folder of its own."""

    SOURCES = _form("sources", "tar.gz", "application/gzip", "the sources as they were ordered")
    SBOM = _form("sboms", "json", "application/json", "the SBOM as it was made")
    TESTS = _form("tests", "json", "application/json", "the test results as they were written")
    LOG = _form("logs", "log", "text/plain; charset=utf-8", "the log as it was written")

    def key(self, digest: Digest) -> str:
        return f"{self.value.folder}/{hex_of(digest)}.{self.value.ending}"


class ImageStore:
    """Objects `sources/<sha256>.tar.gz`, `sboms/….json`, `tests/….json` and `logs/….log`."""

    def __init__(self, s3: "S3Client", bucket: str = BUCKET) -> None:
        self.bucket = bucket
        self._objects = {kind: Objects(s3, bucket, kind.value.words) for kind in Kept}

    def put(self, kind: Kept, content: bytes) -> Digest:
        digest = digest_of(content)
        self._objects[kind].put(kind.key(digest), content, kind.value.content_type)
        return digest

    def get(self, kind: Kept, digest: Digest) -> bytes:
        """Read it; raises `RefusedError` when it is not what was stored."""
        return self._objects[kind].get(kind.key(digest), digest)

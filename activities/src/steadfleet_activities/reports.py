"""Reports of runs in the object store, under what ran: `<folder>/<name>/<run>.json`."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.configuring import PLANS
from steadfleet_activities.fleet.errors import code_of
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, digest_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class ReportFolder:
    """Every method blocks. The folder is named after what the reports are of, in the plural."""

    s3: "S3Client"
    folder: str
    bucket: str = PLANS

    def put(self, name: str, run: str, content: bytes) -> Digest:
        """Keep it. A report is written by its own run alone, so a second one is a retry's or is newer."""
        key = f"{self.folder}/{name}/{_part(run)}.json"
        try:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType="application/json")
        except ClientError as error:
            raise self._explained(error) from error
        return digest_of(content)

    def newest(self, name: str, most: int, room: int) -> tuple[str, ...]:
        """Read the newest, newest last: as many of `most` as fit into so many bytes."""
        try:
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{self.folder}/{name}/"
            )
            found = [one for page in pages for one in page.get("Contents", ())]
        except ClientError as error:
            raise self._explained(error) from error
        newest = sorted(found, key=lambda one: (one["LastModified"], one["Key"]), reverse=True)
        read = list[str]()
        for one in newest[:most]:
            room -= one["Size"]
            if room < 0:
                break
            read.append(self.s3.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read().decode())
        return tuple(reversed(read))

    def _explained(self, error: ClientError) -> Exception:
        if code_of(error) != "NoSuchBucket":
            return error
        return RefusedError(
            f"there is no bucket {self.bucket}, where reports of {self.folder} are stored: create it, or "
            "name another in STEADFLEET_BUCKET"
        )


def _part(run: str) -> str:
    """Keep a run's name in one part of the key."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", run)

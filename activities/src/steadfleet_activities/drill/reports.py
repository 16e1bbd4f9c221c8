"""The reports of drills in the object store: `drills/<plan>/<run>.json`."""

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.configuring import PLANS
from steadfleet_activities.fleet.errors import code_of
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, digest_of
from steadfleet_ports.drill import PastReports, StoredReport

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_FOLDER = "drills"
MOST_BYTES = 1_500_000
"""Of all reports that are read at once: they travel in one payload, which may have 2 MB."""


class DrillReports:
    """Every method blocks."""

    def __init__(self, s3: "S3Client", bucket: str = PLANS) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, report: StoredReport) -> Digest:
        """Keep it. A report is written by its own run alone, so a second one is a retry's or is newer."""
        content = report.content.encode()
        key = f"{_FOLDER}/{report.plan}/{_part(report.run)}.json"
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType="application/json")
        except ClientError as error:
            raise self._explained(error) from error
        return digest_of(content)

    def newest(self, request: PastReports) -> tuple[str, ...]:
        """Read the newest, newest last: as many as fit into a payload, of those that are asked for."""
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{_FOLDER}/{request.plan}/"
            )
            found = [one for page in pages for one in page.get("Contents", ())]
        except ClientError as error:
            raise self._explained(error) from error
        newest = sorted(found, key=lambda one: (one["LastModified"], one["Key"]), reverse=True)
        room, read = MOST_BYTES, list[str]()
        for one in newest[: request.most]:
            room -= one["Size"]
            if room < 0:
                break
            read.append(self._read(one["Key"]))
        return tuple(reversed(read))

    def _read(self, key: str) -> str:
        return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()

    def _explained(self, error: ClientError) -> Exception:
        if code_of(error) != "NoSuchBucket":
            return error
        return RefusedError(
            f"there is no bucket {self._bucket}, where reports of drills are stored: create it, or name "
            "another in STEADFLEET_BUCKET"
        )


def _part(run: str) -> str:
    """Keep a run's name in one part of the key."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", run)

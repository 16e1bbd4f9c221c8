"""Attestations of AMIs in an S3 bucket: objects `ami/<ami-id>/<sha256 of the bundle>.sigstore.json`."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.image.attesting.stores import (
    MOST_BUNDLES,
    MOST_BYTES,
    Attestations,
    Found,
    Stored,
)
from steadfleet_activities.image.listing import BUNDLES
from steadfleet_activities.objects import hex_of
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_ports.image import PublishedCopy
from steadfleet_signing.bundle import BUNDLE_TYPE, MOST_BUNDLE_BYTES
from steadfleet_signing.verify import Refused

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef, PaginatorConfigTypeDef

_KEY = re.compile(r"ami/ami-[0-9a-f]+/([0-9a-f]{64})\.sigstore\.json")
_IMAGE = re.compile(r"ami-[0-9a-f]+")
MOST_LISTED = 10_000
"""Objects that are even listed of one image."""


class S3Attestations(Attestations):
    """One bucket for the images of all regions; it may lie in any of them."""

    def __init__(self, s3: "S3Client", bucket: str = BUNDLES) -> None:
        self._s3 = s3
        self.bucket = bucket

    def found(self, copy: PublishedCopy) -> Found:
        listed = sorted(self._listed(copy, MOST_LISTED), key=lambda one: (one["LastModified"], one["Key"]))
        bundles: list[Stored] = []
        refused: list[Refused] = []
        left = MOST_BYTES
        for one in listed[:MOST_BUNDLES]:
            key = one["Key"]
            problem = _problem(one, left)
            bundle = None if problem else self._read(key)
            if bundle and f"{hex_of(digest_of(bundle))}.sigstore.json" != key.rpartition("/")[2]:
                problem = "it was changed: its content is not what its key says"
            if problem:
                refused.append(_refused(key, problem))
            elif bundle:  # else it was removed since it was listed
                left -= len(bundle)
                bundles.append(Stored(f"s3://{self.bucket}/{key}", bundle))
        if len(listed) > MOST_BUNDLES:
            more = len(listed) - MOST_BUNDLES
            refused.append(_refused(_prefix(copy), f"{more} more, the newest, are beyond what is read"))
        return Found(tuple(bundles), tuple(refused))

    def put(self, copy: PublishedCopy, bundle: bytes) -> str:
        key = f"{_prefix(copy)}{hex_of(digest_of(bundle))}.sigstore.json"
        try:
            self._s3.put_object(
                Bucket=self.bucket, Key=key, Body=bundle, ContentType=BUNDLE_TYPE, IfNoneMatch="*"
            )
        except ClientError as error:
            # The key is the content's digest: what is there is this, or is refused when it is read.
            if code_of(error) != "PreconditionFailed":
                raise self._explained(error) from error
        return f"s3://{self.bucket}/{key}"

    def remove(self, copy: PublishedCopy) -> None:
        for one in self._listed(copy):
            self._s3.delete_object(Bucket=self.bucket, Key=one["Key"])

    def _listed(self, copy: PublishedCopy, most: int | None = None) -> "Iterator[ObjectTypeDef]":
        bound: PaginatorConfigTypeDef = {"MaxItems": most} if most else {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=_prefix(copy), PaginationConfig=bound
        )
        try:
            for page in pages:
                yield from page.get("Contents", ())
        except ClientError as error:
            raise self._explained(error) from error

    def _read(self, key: str) -> bytes | None:
        try:
            body = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise self._explained(error) from error
            return None
        return body.read(MOST_BUNDLE_BYTES + 1)

    def _explained(self, error: ClientError) -> Exception:
        if code_of(error) == "NoSuchBucket":
            return RefusedError(
                f"there is no bucket {self.bucket}, where attestations are stored: create it, or name "
                "another in STEADFLEET_ATTESTATIONS_BUCKET"
            )
        return error


def _prefix(copy: PublishedCopy) -> str:
    # A slash in an id would reach beside another image.
    if not _IMAGE.fullmatch(copy.id):
        raise RefusedError(f"image {copy.id!r}: expected an AMI's id such as ami-0123456789abcdef0")
    return f"ami/{copy.id}/"


def _problem(listed: "ObjectTypeDef", left: int) -> str | None:
    if not _KEY.fullmatch(listed["Key"]):
        return "it is not named after a digest"
    if listed["Size"] > min(left, MOST_BUNDLE_BYTES):
        return f"it has {listed['Size']} bytes, more than is read"
    return None


def _refused(key: str, why: str) -> Refused:
    # It has no digest of its own that could be told, for it was not read.
    return Refused(bundle=digest_of(key.encode()), reason=f"{key}: {why}")

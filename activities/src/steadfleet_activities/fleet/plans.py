"""Frozen plans in an S3 bucket, by their digest, so that what is read is what was approved."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_core.campaign.plan import Plan, Shard
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, canonical, digest_of
from steadfleet_ports.fleet import ShardRef

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

BUCKET = "steadfleet-plans"

_Stored = TypeVar("_Stored", Plan, Shard)


class PlanStore:
    """Objects `plans/<digest>.json` and `shards/<digest>.json`, written once and never changed."""

    def __init__(self, s3: "S3Client", bucket: str = BUCKET) -> None:
        self._s3 = s3
        self.bucket = bucket

    def save(self, plan: Plan, shards: list[Shard]) -> None:
        """Store the shards before the plan: a plan that can be read is whole."""
        for shard in shards:
            self._put(_key(shard), canonical(shard))
        self._put(_key(plan), canonical(plan))

    def plan(self, digest: Digest) -> Plan:
        return self._get(Plan, f"plans/{_hex(digest)}.json", digest)

    def shard(self, digest: Digest) -> Shard:
        return self._get(Shard, f"shards/{_hex(digest)}.json", digest)

    def stored_at(self, plan: Plan) -> datetime:
        """Return when the plan was frozen: it is stored once."""
        try:
            return self._s3.head_object(Bucket=self.bucket, Key=_key(plan))["LastModified"]
        except ClientError as error:
            raise self._explained(error, _key(plan)) from error

    def load(self, ref: ShardRef) -> Shard:
        plan = self.plan(ref.plan)
        shards = next((wave.shards for wave in plan.waves if wave.number == ref.wave), ())
        if not 0 <= ref.shard < len(shards):
            raise RefusedError(
                f"plan {ref.plan} has no shard {ref.shard} in wave {ref.wave}: expected one of its "
                f"{len(plan.waves)} waves and of that wave's {len(shards)} shards, counted from 0"
            )
        return self.shard(shards[ref.shard])

    def _put(self, key: str, content: bytes) -> None:
        try:
            # One call both looks and writes. Two that write at once write the same.
            self._s3.put_object(
                Bucket=self.bucket, Key=key, Body=content, ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            if code_of(error) == "PreconditionFailed":
                return
            raise self._explained(error, key) from error

    def _get(self, model: type[_Stored], key: str, digest: Digest) -> _Stored:
        try:
            content = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise self._explained(error, key) from error
        found = digest_of(content)
        if found != digest:
            raise RefusedError(
                f"s3://{self.bucket}/{key} was changed after it was stored: its digest is {found}, expected "
                f"{digest}; nothing is done from it. Find out who wrote it, and start a new campaign"
            )
        return model.model_validate(json.loads(content))

    def _explained(self, error: ClientError, key: str) -> Exception:
        match code_of(error):
            case "NoSuchBucket":
                return RefusedError(
                    f"there is no bucket {self.bucket}, where plans are stored: create it, or name another "
                    "in STEADFLEET_BUCKET"
                )
            case "NoSuchKey" | "404":
                return RefusedError(
                    f"s3://{self.bucket}/{key} does not exist: expected the plan as it was frozen; look for "
                    "a lifecycle rule that deletes it, or for another STEADFLEET_BUCKET in this worker"
                )
        return error


def _key(stored: Plan | Shard) -> str:
    return f"{'plans' if isinstance(stored, Plan) else 'shards'}/{_hex(stored.digest)}.json"


def _hex(digest: Digest) -> str:
    # A colon in a key has to be escaped by everything that reads buckets.
    return digest.removeprefix("sha256:")

"""Frozen plans in an S3 bucket, by their digest, so that what is read is what was approved."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from steadfleet_activities.objects import Objects, Words, hex_of
from steadfleet_core.campaign.plan import Plan, Shard
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, canonical
from steadfleet_ports.fleet import ShardRef

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

BUCKET = "steadfleet-plans"
_WORDS = Words(kept="plans", one="the plan as it was frozen", afresh="start a new campaign")

_Stored = TypeVar("_Stored", Plan, Shard)


class PlanStore:
    """Objects `plans/<digest>.json` and `shards/<digest>.json`, written once and never changed."""

    def __init__(self, s3: "S3Client", bucket: str = BUCKET) -> None:
        self._objects = Objects(s3, bucket, _WORDS)
        self.bucket = bucket

    def save(self, plan: Plan, shards: list[Shard]) -> None:
        """Store the shards before the plan: a plan that can be read is whole."""
        for shard in shards:
            self._put(shard)
        self._put(plan)

    def plan(self, digest: Digest) -> Plan:
        return self._get(Plan, f"plans/{hex_of(digest)}.json", digest)

    def shard(self, digest: Digest) -> Shard:
        return self._get(Shard, f"shards/{hex_of(digest)}.json", digest)

    def stored_at(self, plan: Plan) -> datetime:
        """Return when the plan was frozen: it is stored once."""
        return self._objects.stored_at(_key(plan))

    def load(self, ref: ShardRef) -> Shard:
        plan = self.plan(ref.plan)
        shards = next((wave.shards for wave in plan.waves if wave.number == ref.wave), ())
        if not 0 <= ref.shard < len(shards):
            raise RefusedError(
                f"plan {ref.plan} has no shard {ref.shard} in wave {ref.wave}: expected one of its "
                f"{len(plan.waves)} waves and of that wave's {len(shards)} shards, counted from 0"
            )
        return self.shard(shards[ref.shard])

    def _put(self, stored: Plan | Shard) -> None:
        self._objects.put(_key(stored), canonical(stored), "application/json")

    def _get(self, model: type[_Stored], key: str, digest: Digest) -> _Stored:
        return model.model_validate(json.loads(self._objects.get(key, digest)))


def _key(stored: Plan | Shard) -> str:
    return f"{'plans' if isinstance(stored, Plan) else 'shards'}/{hex_of(stored.digest)}.json"

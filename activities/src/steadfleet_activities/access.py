"""What a worker's credentials are good for, before a run finds out."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from temporalio import activity

from steadfleet_activities.dry_runs import Calls, tried
from steadfleet_activities.fleet.errors import at_the_edge, code_of
from steadfleet_activities.objects import Objects, Words
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_durable import unbroken
from steadfleet_ports.access import Access, Accesses, AccessQuestion

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PROBE = "probes/doctor.txt"
_CONTENT = b"steadfleet doctor stored this to see whether it may. It is written once.\n"
_WORDS = Words(kept="plans", one="what `steadfleet doctor` stored", afresh="delete it")


class AwsAccess(Accesses):
    """The rights of one worker; `trials` are its calls, by the regions where it makes them."""

    def __init__(
        self,
        s3: "S3Client",
        bucket: str,
        *,
        region: str,
        worker: str,
        trials: Callable[[AccessQuestion], Mapping[str, Calls]],
    ) -> None:
        self._s3, self._bucket = s3, bucket
        self._region, self._worker, self._trials = region, worker, trials

    @activity.defn
    async def inspect_access(self, question: AccessQuestion) -> Access:
        with at_the_edge("looking at what this worker may do"):
            return await unbroken(self._inspect, question)

    def _inspect(self, question: AccessQuestion) -> Access:
        problem, cloud_time = self._store_problem()
        worker_time = datetime.now(UTC)
        if not problem and question.write:
            problem = self._write_problem()
        trials = self._trials(question)
        told = [tried(calls, region, self._worker) for region, calls in trials.items()]
        return Access(
            region=self._region,
            bucket=self._bucket,
            store_problem=problem,
            refused=tuple(chain.from_iterable(one.refused for one in told)),
            unclear=tuple(chain.from_iterable(one.unclear for one in told)),
            regions=tuple(trials),
            worker_time=worker_time,
            cloud_time=cloud_time,
        )

    def _store_problem(self) -> tuple[str, datetime | None]:
        """Look into the bucket; also return when the store says that it answered."""
        try:
            answer = self._s3.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
        except ClientError as error:
            return f"s3://{self._bucket} answers {code_of(error)}", _time_of(error.response)
        except BotoCoreError as error:
            return f"s3://{self._bucket} does not answer: {error}", None
        return "", _time_of(answer)

    def _write_problem(self) -> str:
        objects = Objects(self._s3, self._bucket, _WORDS)
        try:
            objects.put(PROBE, _CONTENT, "text/plain")
            objects.get(PROBE, digest_of(_CONTENT))
        except ClientError as error:
            return f"{error.operation_name} of s3://{self._bucket}/{PROBE} answers {code_of(error)}"
        except RefusedError as error:
            return str(error)
        return ""


def _time_of(response: Mapping[str, Any]) -> datetime | None:
    said = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(said) if said else None

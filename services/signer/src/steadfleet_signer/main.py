"""The signer: the one worker that holds a key, and signs only what it measured itself.

Give this process a role of its own. Without a command it works on its queue.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from steadfleet_activities.configuring import aws_configured
from steadfleet_activities.image.attesting.shelves import shelves
from steadfleet_activities.image.attesting.signer import MeasuringSigner
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.store import ImageStore
from steadfleet_activities.tracing import trace_aws_calls
from steadfleet_durable import WorkerConfigError, register, run_service, serve
from steadfleet_ports.image import Signer
from steadfleet_signer import keys
from steadfleet_signer.pens import pen_of
from steadfleet_signer.settings import Settings

NAME = "signer"


def main(arguments: Sequence[str] | None = None) -> None:
    """Work until SIGTERM; every setting comes from the environment. Or make and show keys."""
    asked = _parser().parse_args(arguments)
    if asked.command is None:
        run_service(work())
    try:
        if asked.verb == "new":
            keys.make(asked.file)
        else:
            keys.show()
    except WorkerConfigError as error:
        sys.exit(f"steadfleet-signer: {error}")


async def work() -> None:
    settings = Settings.from_env()
    trace_aws_calls()
    await serve(NAME, task_queue=NAME, activities=register(adapter(settings)), settings=settings.worker)


def adapter(settings: Settings, env: Mapping[str, str] | None = None) -> Signer:
    """Build what stands behind the port; raises `WorkerConfigError` where a setting cannot be right."""
    given = os.environ if env is None else env
    pen = pen_of(settings.pen, given)
    with aws_configured():
        regions = AwsRegions.from_environment(given, slots=settings.worker.max_concurrent_activities)
    store = ImageStore(regions.s3, settings.bucket)
    return MeasuringSigner(pen.signer, pen.own, settings.pen.builder, store, shelves(regions, given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("steadfleet-signer", description="Measure images and sign them.")
    commands = parser.add_subparsers(dest="command")
    key = commands.add_parser("key", help="make a key for development, or show the one that signs")
    verbs = key.add_subparsers(dest="verb", required=True)
    new = verbs.add_parser("new", help="write a new private key to FILE, and print its public key")
    new.add_argument("file", type=Path, metavar="FILE")
    verbs.add_parser("show", help="print the public key, and its entry for a trust policy")
    return parser

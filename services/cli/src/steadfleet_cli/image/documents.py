"""Documents that are kept of a build: read by a worker, and held against their digest here too."""

import base64
import binascii
import gzip
import re
import secrets
import zlib
from datetime import timedelta

from temporalio.client import Client

from steadfleet_cli.engine import IMAGES, result_of
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.reading import read_standing
from steadfleet_core.image.report import ImageStatus
from steadfleet_core.model import Digest, digest_of
from steadfleet_ports.image import Document, DocumentKind, DocumentRequest
from steadfleet_workflows.image_inspection import ImageDocument

_MOST = timedelta(minutes=10)
_LOG = re.compile(r"\blogs/([0-9a-f]{64})\.log\b")


async def sbom(client: Client, family: str, version: str) -> bytes:
    examination = (await read_standing(client, family, version)).status.examination
    digest = examination.sbom if examination else None
    if digest is None:
        raise _absent("SBOM", family, version)
    return await _read(client, DocumentKind.SBOM, digest)


async def log(client: Client, family: str, version: str) -> bytes:
    """Return packer's log; of a build that failed, the one that its reason names."""
    digest = log_of((await read_standing(client, family, version)).status)
    if digest is None:
        raise _absent("log of packer's", family, version)
    return await _read(client, DocumentKind.LOG, digest)


def log_of(status: ImageStatus) -> Digest | None:
    if status.built:
        return status.built.log
    named = _LOG.search(status.reason)
    return f"sha256:{named[1]}" if named else None


def _absent(what: str, family: str, version: str) -> CommandError:
    return CommandError(
        f"there is no {what} for {family} {version}",
        ExitCode.REFUSED,
        f"`steadfleet image show {family} {version}` says how far the build came",
    )


async def _read(client: Client, kind: DocumentKind, digest: Digest) -> bytes:
    handle = await client.start_workflow(
        ImageDocument.run,
        DocumentRequest(kind=kind, digest=digest),
        id=f"image-document/{secrets.token_hex(4)}",
        task_queue=IMAGES.task_queue,
        execution_timeout=_MOST,
    )
    content = _content(await result_of(client, handle, IMAGES, "read it where it lies"))
    if digest_of(content) != digest:
        raise CommandError(
            f"what the worker read has the digest {digest_of(content)}: expected {digest}",
            ExitCode.REFUSED,
            "trust neither; find out who wrote to the object store",
        )
    return content


def _content(document: Document) -> bytes:
    try:
        return gzip.decompress(base64.b64decode(document.content, validate=True))
    except (binascii.Error, OSError, EOFError, zlib.error) as error:
        raise CommandError(
            f"what the worker read is not gzip in base64: {error}",
            ExitCode.UNEXPECTED,
            "run worker and command line of one release",
        ) from error

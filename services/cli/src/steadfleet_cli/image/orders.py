"""What a build is asked for: read from files, or from the first event of one that was started."""

import base64
import binascii
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from steadfleet_cli.differences import differences
from steadfleet_cli.edit import mapping_of, set_value
from steadfleet_cli.engine import refusal_of
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.contract import read_contract
from steadfleet_core.errors import ContractError, RefusedError
from steadfleet_core.image.golden import GoldenImage as GoldenImageContract
from steadfleet_core.image.order import ImageOrder, workflow_id
from steadfleet_core.image.report import ImageReport
from steadfleet_core.image.sources import pack, unpack
from steadfleet_core.model import digest_of
from steadfleet_workflows.image import GoldenImage

ImageHandle = WorkflowHandle[GoldenImage, ImageReport]


def read_order(file: Path, version: str | None, by: str) -> ImageOrder:
    """Read the contract, with another version if one is given, and pack the files that it names."""
    try:
        image = read_contract(_text(file, version), str(file), GoldenImageContract)
        packed = pack(file.parent, image.files)
    except (ContractError, RefusedError) as error:
        raise refusal_of(error, f"correct {file}, or the files that it names") from error
    return ImageOrder(image=image, sources=base64.b64encode(packed).decode(), requested_by=by)


def _text(file: Path, version: str | None) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise CommandError(
            f"image {file}: {why}",
            ExitCode.USAGE,
            "name a GoldenImage with -f FILE, or write ./image.yaml (`steadfleet schema GoldenImage`)",
        ) from error
    if version is None or mapping_of(text) is None:
        return text
    return set_value(text, ("spec", "version"), version, str(file))


def image_handle(client: Client, family: str, version: str, run_id: str | None = None) -> ImageHandle:
    handle: ImageHandle = client.get_workflow_handle_for(
        GoldenImage.run, workflow_id(family, version), run_id=run_id
    )
    return handle


async def order_of(client: Client, identity: str, run_id: str) -> ImageOrder:
    """Return what a build was started with, which needs no worker."""
    handle = client.get_workflow_handle(identity, run_id=run_id)
    first = await anext(handle.fetch_history_events(page_size=1))
    started = first.workflow_execution_started_event_attributes
    kinds: list[Any] = [ImageOrder]
    order: ImageOrder = (await client.data_converter.decode(started.input.payloads, kinds))[0]
    return order


def order_differences(there: ImageOrder, here: ImageOrder) -> Iterator[str]:
    """Say in what two orders differ: in the contract, or in the files that came with it."""
    yield from differences(there.image, here.image)
    if there.sources != here.sources:
        other, ours = _digests(there.sources), _digests(here.sources)
        names = sorted(name for name in {*other, *ours} if other.get(name) != ours.get(name))
        yield f"the content of {', '.join(names) or 'the sources'} differs"


def _digests(sources: str) -> dict[str, str]:
    """Return the digest of each packed file; of an archive that cannot be read, none."""
    with tempfile.TemporaryDirectory(prefix="steadfleet-") as folder:
        try:
            names = unpack(base64.b64decode(sources, validate=True), Path(folder))
        except (RefusedError, binascii.Error):
            return {}
        return {name: digest_of((Path(folder) / name).read_bytes()) for name in names}

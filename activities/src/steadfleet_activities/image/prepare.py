"""Resolve what is ordered, so that nothing in it floats; or say at once all that is wrong with it."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping

from steadfleet_activities.image.packer.template import Template, inspect_template
from steadfleet_activities.image.packer.versions import Packer, check_version
from steadfleet_activities.image.platforms import ImagePlatform
from steadfleet_activities.image.scratch import scratch
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.errors import ContractError, RefusedError
from steadfleet_core.image.golden import GoldenImage
from steadfleet_core.image.order import Base, Build, ImageOrder, Platform
from steadfleet_core.image.sources import unpack
from steadfleet_core.model import Digest, Model, canonical, digest_of
from steadfleet_durable import unbroken
from steadfleet_ports.image import BuildPreparation

FindPacker = Callable[[], Awaitable[Packer]]

_LONGEST_NAME = 128
"""Of an AMI, and of a tag at a registry."""


class Inputs(Model):
    """All that decides what an image is: equal inputs have equal keys, in whatever order they were given."""

    sources: Digest
    template: str
    variables: dict[str, str]
    base: str
    base_digest: Digest | None
    platform: Platform
    packer_version: str

    @property
    def key(self) -> Digest:
        return digest_of(canonical(self))


class Preparations:
    """Looks, and stores the sources; nothing else is touched."""

    def __init__(
        self, store: ImageStore, platforms: Mapping[Platform, ImagePlatform], find_packer: FindPacker
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._find_packer = find_packer

    async def prepare(self, preparation: BuildPreparation) -> Build:
        order = preparation.order
        packer = await self._find_packer()
        packed = _decoded(order)
        try:
            template = await unbroken(_inspected, order.image, packed, packer)
        except ContractError as error:
            raise RefusedError(str(error)) from error
        platform = self._platforms.get(template.platform)
        if platform is None:
            raise RefusedError(
                f"the template builds with {template.builder}, and this worker has no {template.platform}: "
                "start it where there is a Docker engine"
            )
        base = await _resolved(preparation, template, platform)
        inputs = Inputs(
            sources=digest_of(packed),
            template=order.image.spec.build.template,
            variables=order.image.spec.build.variables,
            base=base.id,
            base_digest=base.digest,
            platform=template.platform,
            packer_version=packer.said,
        )
        await unbroken(self._store.put, Kept.SOURCES, packed)
        return _build(preparation, platform.home, inputs, base)


def _decoded(order: ImageOrder) -> bytes:
    try:
        return base64.b64decode(order.sources, validate=True)
    except binascii.Error as error:
        raise RefusedError(f"the order's sources are not base64: {error}") from error


def _inspected(image: GoldenImage, packed: bytes, packer: Packer) -> Template:
    """Unpack the sources for a look at them."""
    with scratch("sources") as folder:
        there = unpack(packed, folder)
        missing = [name for name in image.files if not _brought(name, there)]
        if missing:
            raise ContractError(
                [f"{name}: is named, and the order does not bring it along" for name in missing]
            )
        template = inspect_template(folder / image.spec.build.template, image.spec.build.variables)
    check_version(packer, template)
    return template


def _brought(name: str, files: tuple[str, ...]) -> bool:
    path = name.removeprefix("./").rstrip("/")
    return any(file == path or file.startswith(f"{path}/") for file in files)


async def _resolved(preparation: BuildPreparation, template: Template, platform: ImagePlatform) -> Base:
    """Ask the platform; all that it refuses is said together."""
    image = preparation.order.image
    problems = [*_unreachable(image, template.platform, platform.home), *_nameless(preparation)]
    base = Base(id="")
    try:
        await platform.check(template.declared, image.spec.build.variables)
    except RefusedError as error:
        problems.append(str(error))
    try:
        base = await platform.resolve_base(image.spec.build.base)
    except RefusedError as error:
        problems.append(str(error))
    if not problems:
        problems += await _taken(image, platform)
    if problems:
        raise RefusedError("\n".join(problems))
    return base


async def _taken(image: GoldenImage, platform: ImagePlatform) -> list[str]:
    publish = image.spec.publish
    places = [place.name for place in (*publish.regions, *publish.registries)]
    released = await platform.released(image.family, image.version, places)
    if released is None:
        return []
    return [f"{image.family}@{image.version} is {released} already: write another version in spec.version"]


def _unreachable(image: GoldenImage, platform: Platform, home: str) -> list[str]:
    """Say which places are none of this platform, and what would be ignored."""
    publish = image.spec.publish
    if platform is Platform.DOCKER:
        problems = ["spec.publish.regions: an OCI image goes to registries"] if publish.regions else []
        if publish.share_with:
            problems.append("spec.publish.shareWith: who may pull is said at the registry: remove it")
        return [*problems, *_unprovable(image)]
    problems = ["spec.publish.registries: an AMI goes to regions"] if publish.registries else []
    if any(place.name == home and place.kms_key for place in publish.regions):
        problems.append(
            f"spec.publish.regions: kmsKey of {home} would be ignored, for there the image is built and not "
            "copied: let the template encrypt its disks, in launch_block_device_mappings"
        )
    return problems


def _unprovable(image: GoldenImage) -> list[str]:
    """Say what an image that only an engine has cannot be: nobody else could verify it."""
    if image.spec.publish.registries:
        return []
    wanted = {"gates.signature": image.spec.gates.signature, "publish.channel": image.spec.publish.channel}
    return [
        f"spec.{field}: the image would stay in the worker's engine, where nothing can be verified: name a "
        f"registry in spec.publish.registries, or {remedy}"
        for (field, said), remedy in zip(
            wanted.items(), ("set it and spec.gates.provenance to false", "remove it"), strict=True
        )
        if said
    ]


def _nameless(preparation: BuildPreparation) -> list[str]:
    image = preparation.order.image
    name = f"{image.family}-{image.version}-{preparation.run.rsplit('-', 1)[-1]}"
    if len(name) <= _LONGEST_NAME:
        return []
    return [f"the image's name {name} has {len(name)} letters: expected at most {_LONGEST_NAME}"]


def _build(preparation: BuildPreparation, home: str, inputs: Inputs, base: Base) -> Build:
    image = preparation.order.image
    return Build(
        family=image.family,
        version=image.version,
        run=preparation.run,
        platform=inputs.platform,
        region=home,
        sources=inputs.sources,
        template=inputs.template,
        base=base,
        key=inputs.key,
        packer_version=inputs.packer_version,
        expires_at=preparation.expires_at,
    )

"""Golden images as AMIs: built in the home region, and copied to others."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import UNCLEAR
from steadfleet_activities.image import tags
from steadfleet_activities.image.access import Access, Doors
from steadfleet_activities.image.amis import Ami, Amis
from steadfleet_activities.image.base import Bases, ChannelVersion
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.discard import Residue
from steadfleet_activities.image.listing import BUNDLES, Listings
from steadfleet_activities.image.network import Network, Networks
from steadfleet_activities.image.platforms import ImagePlatform, Say, Site
from steadfleet_activities.image.publish import Copies
from steadfleet_activities.image.release import Releases, released
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import BaseImage
from steadfleet_core.image.order import Base, Build, BuiltImage
from steadfleet_durable import get_logger, unbroken
from steadfleet_ports.image import ImageBuild, ListedImage, Publication, PublishedCopy, Release

_log = get_logger(__name__)


class AwsImages(ImagePlatform):
    """Joins the parts; `places` are the regions to list, `callers` whence workers reach a build's machine."""

    def __init__(
        self,
        regions: AwsRegions,
        channel_version: ChannelVersion,
        *,
        environment: Mapping[str, str],
        places: Sequence[str] = (),
        callers: Sequence[str] = (),
        bundles: str = BUNDLES,
    ) -> None:
        self.home = regions.home
        self._regions = regions
        self._endpoint = regions.settings.get("endpoint_url")
        self._environment = _credentials(environment) | {"AWS_REGION": self.home}
        aws = regions.at_home
        self._amis = Amis(aws)
        self._bases = Bases(self._amis, channel_version)
        self._networks = Networks(aws)
        self._doors = Doors(aws, callers)
        self._residue = Residue(aws, self._doors)
        self._copies = Copies(regions)
        self._releases = Releases(regions)
        self._listings = Listings(regions, places, bundles)

    async def resolve_base(self, base: BaseImage) -> Base:
        return await self._bases.resolve(base)

    async def check(self, declared: frozenset[str], variables: Mapping[str, str]) -> None:
        if self._endpoint and "endpoint" not in declared:
            raise RefusedError(
                f"this worker serves {self._endpoint}, and the template has no variable endpoint: it would "
                "build at AWS itself; declare it and use it as custom_endpoint_ec2"
            )
        await unbroken(self._networks.chosen, variables)

    async def released(self, family: str, version: str, places: Sequence[str]) -> str | None:
        for place in dict.fromkeys([self.home, *places]):
            found = await unbroken(released, Amis(self._regions.at(place)), family, version)
            if found:
                return f"{found[0].id} in {place}"
        return None

    async def finished(self, build: Build) -> BuiltImage | None:
        for ami in await unbroken(self._amis.named, build.image_name):
            owner = ami.tags.get(tags.RUN, build.run)
            if owner != build.run:
                raise RefusedError(
                    f"image {ami.id} in {self.home} is named {build.image_name} and belongs to run {owner}, "
                    f"not {build.run}: deregister it, or find out whose it is"
                )
            if ami.state == "available" and ami.tags.get(tags.KEY) == build.key:
                await self._residue.remove_rest(build.run)
                return _read(ami)
        return None

    @asynccontextmanager
    async def site(self, order: ImageBuild, scratch: Path) -> AsyncIterator[Site]:
        run = order.build.run
        try:
            network = await unbroken(self._networks.chosen, order.spec.variables)
            access = await unbroken(self._doors.open, order.build, network)
            yield self._site(order.build, network, access, _key_file(access, scratch))
        except BaseException:
            await self._try_to_close(run)
            raise
        await self._residue.remove_rest(run)

    async def _try_to_close(self, run: str) -> None:
        """Close what can be closed now: what a machine of packer's still holds goes with the undo."""
        try:
            await self._residue.remove_rest(run, patience=timedelta())
        except (ApplicationError, *UNCLEAR) as error:
            _log.warning("left to the undo of the build", run=run, error=str(error))

    def _site(self, build: Build, network: Network, access: Access, key_file: Path) -> Site:
        variables = {
            "security_group_id": access.security_group,
            "ssh_keypair_name": access.key_pair,
            "ssh_private_key_file": str(key_file),
            "expires_at": tags.written(build.expires_at),
            "region": self.home,
            "vpc_id": network.vpc,
            "subnet_id": network.subnet,
        }
        endpoint = {"endpoint": self._endpoint} if self._endpoint else {}
        return Site({**variables, **endpoint}, self._environment)

    async def keep(self, build: Build, built: BuiltImage) -> None:
        ami = await unbroken(self._amis.find, built.id)
        _refuse_unlike(build, built.id, ami, self.home)
        snapshots = await unbroken(self._amis.snapshots_of, ami) if ami else set()
        await unbroken(self._amis.tag, snapshots, tags.temporary(build) | {tags.KEY: build.key})
        # Last, and in one call: an image with these is whole.
        await unbroken(self._amis.tag, [built.id], _written(build, built))

    async def discard(self, build: Build, say: Say) -> None:
        await self._residue.remove(build, say)

    async def publish(self, publication: Publication, token: str, say: Say) -> PublishedCopy:
        return await self._copies.publish(publication, token, say)

    async def withdraw(self, publication: Publication) -> None:
        await unbroken(self._copies.withdraw, publication)

    async def release(self, release: Release) -> None:
        await unbroken(self._releases.release, release)

    async def listed(self, family: str) -> list[ListedImage]:
        return await unbroken(self._listings.released, family)


def _credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Give packer what AWS's own variables say, and the files where a profile stands: its home is another."""
    given = {name: said for name, said in environment.items() if name.startswith("AWS_")}
    folder = Path(environment.get("HOME", "/")) / ".aws"
    files = {"AWS_SHARED_CREDENTIALS_FILE": folder / "credentials", "AWS_CONFIG_FILE": folder / "config"}
    found = {name: str(path) for name, path in files.items() if path.is_file()}
    # Without it packer's SDK reads no config file.
    return found | given | ({"AWS_SDK_LOAD_CONFIG": "1"} if "AWS_PROFILE" in given else {})


def _key_file(access: Access, scratch: Path) -> Path:
    path = scratch / "key"
    path.touch(0o600)
    path.write_bytes(access.private_key)
    return path


def _refuse_unlike(build: Build, image_id: str, ami: Ami | None, region: str) -> None:
    """Refuse an image that does not carry what the template was given: nobody would find it again."""
    said = f"packer says that it built {image_id} in {region}"
    if ami is None:
        raise RefusedError(f"{said}, and there is no such image: the template must build in variable region")
    found = {"name": ami.name, "state": ami.state, tags.RUN: ami.tags.get(tags.RUN, "(none)")}
    expected = {"name": build.image_name, "state": "available", tags.RUN: build.run}
    wrong = [
        f"{what} is {found[what]}, expected {value}"
        for what, value in expected.items()
        if found[what] != value
    ]
    if wrong:
        raise RefusedError(
            f"{said}: its {'; its '.join(wrong)}: the template must use the variables image_name and run"
        )


def _written(build: Build, built: BuiltImage) -> dict[str, str]:
    return {
        **tags.temporary(build),
        tags.KEY: build.key,
        tags.BUILT_FROM: build.base.id,
        tags.STARTED_AT: tags.written(built.started_at),
        tags.ENDED_AT: tags.written(built.ended_at),
        **({tags.LOG: built.log} if built.log else {}),
    }


def _read(ami: Ami) -> BuiltImage:
    return BuiltImage(
        id=ami.id,
        log=ami.tags.get(tags.LOG),
        started_at=datetime.fromisoformat(ami.tags[tags.STARTED_AT]),
        ended_at=datetime.fromisoformat(ami.tags[tags.ENDED_AT]),
    )

"""What a run left is found, by tag and by name, and taken away; what serves or was released stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from integration.janitor.residue import (
    HOME,
    LONG_AGO,
    NAME,
    OTHER,
    RUN,
    Site,
    janitor_of,
    refuse,
    sweep_of,
    tags_of,
    types,
)
from moto.ec2.models import ec2_backends
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.inventory import Inventory
from steadfleet_activities.janitor.removal import Removal
from steadfleet_activities.janitor.scope import Scope, Thing
from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.context import ACCOUNT
from steadfleet_local_cloud.fleet import create_fleet
from steadfleet_ports.lease import Residue, Sweep

EVERY_TYPE = ["image", "instance", "key pair", "security group", "snapshot", "volume"]


async def find(janitor: AwsJanitor, sweep: Sweep) -> Residue:
    return await ActivityEnvironment().run(janitor.find_residue, sweep)


async def sweep(janitor: AwsJanitor, order: Sweep) -> Residue:
    return await ActivityEnvironment().run(janitor.sweep_run, order)


async def test_residue_of_every_type_is_found_and_removed_in_all_regions(
    janitor: AwsJanitor, site: Site, other: Site
) -> None:
    before = site.holdings(), other.holdings()
    site.plant()
    other.plant()

    found = await find(janitor, sweep_of(HOME, OTHER))
    swept = await sweep(janitor, sweep_of(HOME, OTHER))

    assert sorted(set(types(found.left))) == EVERY_TYPE
    assert {one.region for one in found.left} == {HOME, OTHER}
    assert swept.left == ()
    assert {(one.type, one.id) for one in swept.removed} == {(one.type, one.id) for one in found.left}
    assert (site.holdings(), other.holdings()) == before
    assert await find(janitor, sweep_of(HOME, OTHER)) == Residue()


async def test_a_look_changes_nothing(janitor: AwsJanitor, site: Site) -> None:
    site.plant()
    before = site.holdings()

    await find(janitor, sweep_of())

    assert site.holdings() == before


async def test_what_is_of_another_run_stays(janitor: AwsJanitor, site: Site) -> None:
    site.plant("image-db-3.0.0-ffff", name="db-3.0.0")
    before = site.holdings()
    site.plant()

    swept = await sweep(janitor, sweep_of())

    assert swept.left == ()
    assert site.holdings() == before


async def test_a_machine_that_serves_is_no_residue(janitor: AwsJanitor, site: Site) -> None:
    serving = site.instance(tags_of(RUN, expires_in=None, host="i-0", campaign="campaign/web"))

    swept = await sweep(janitor, sweep_of())

    assert swept == Residue()
    assert site.holdings()["instances"] == [serving]


async def test_a_machine_of_a_group_is_spared_though_it_expires_and_is_told(
    janitor: AwsJanitor, site: Site, cloud: LocalCloud
) -> None:
    """A worker that died between attach and settle leaves one that serves and still carries its expiry."""
    create_fleet(cloud.endpoint, HOME, name="web", image=site.base, size=1, zones=1, tags={})
    (member,) = site.holdings()["instances"]
    site.ec2.create_tags(
        Resources=[member],
        Tags=[{"Key": key, "Value": value} for key, value in tags_of(RUN, host="i-0").items()],
    )

    swept = await sweep(janitor, sweep_of())

    assert swept.left == ()
    assert [(one.id, one.why) for one in swept.spared] == [(member, "a member of group web")]
    assert site.holdings()["instances"] == [member]


async def test_a_machine_that_never_expires_and_is_no_host_is_told(janitor: AwsJanitor, site: Site) -> None:
    odd = site.instance(tags_of(RUN, expires_in=None))

    swept = await sweep(janitor, sweep_of())

    assert [one.id for one in swept.spared] == [odd]
    assert "no tag steadfleet:expires-at" in swept.spared[0].why


async def test_a_released_image_and_its_snapshot_stay(janitor: AwsJanitor, site: Site) -> None:
    builder = site.instance(tags_of(RUN))
    released = site.image(NAME, builder, tags_of(RUN, expires_in=None, family="web", version="1.2.0"))
    (device,) = site.ec2.describe_images(ImageIds=[released])["Images"][0]["BlockDeviceMappings"]
    snapshot = device["Ebs"]["SnapshotId"]
    site.ec2.create_tags(Resources=[snapshot], Tags=[{"Key": "steadfleet:run", "Value": RUN}])

    swept = await sweep(janitor, sweep_of())

    assert types(swept.removed) == ["instance", "volume"]
    assert swept.left == ()
    assert released in site.holdings()["images"]
    assert snapshot in site.holdings()["snapshots"]


async def test_an_image_of_the_same_name_that_is_older_than_the_run_is_somebody_else_s(
    janitor: AwsJanitor, site: Site
) -> None:
    image = site.image(NAME, site.instance({}), {})
    snapshot = site.snapshot({}, description=NAME)

    swept = await sweep(janitor, sweep_of(since=datetime.now(UTC) + timedelta(hours=1)))

    assert swept == Residue()
    assert image in site.holdings()["images"]
    assert snapshot in site.holdings()["snapshots"]


async def test_an_image_of_the_same_name_from_another_run_stays(janitor: AwsJanitor, site: Site) -> None:
    image = site.image(NAME, site.instance({}), tags_of("image-web-1.2.0-ffff"))

    await sweep(janitor, sweep_of())

    assert image in site.holdings()["images"]


class _BlindToNames(Inventory):
    """A mutant: believes that everything carries its tag."""

    def look(self, scope: Scope) -> Any:
        return super().look(Scope(run=scope.run))


async def test_a_sweep_that_ignores_names_leaves_what_packer_had_not_tagged_yet(
    janitor: AwsJanitor, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: without names the planted orphans stay."""
    builder = site.instance({})
    orphans = site.image(NAME, builder, {}), site.snapshot({}, description=NAME)
    with monkeypatch.context() as mutated:
        mutated.setattr("steadfleet_activities.janitor.aws.Inventory", _BlindToNames)
        assert await sweep(janitor, sweep_of()) == Residue()
        assert orphans[0] in site.holdings()["images"]
        assert orphans[1] in site.holdings()["snapshots"]

    swept = await sweep(janitor, sweep_of())

    assert types(swept.removed) == ["image", "snapshot", "snapshot"]
    assert orphans[0] not in site.holdings()["images"]


async def test_a_volume_that_outlives_its_machine_goes_with_it_and_one_attached_later_stays(
    janitor: AwsJanitor, site: Site, cloud: LocalCloud
) -> None:
    """Packer's own volumes are kept by AWS when their machine ends, and carry no tag."""
    builder, data = site.instance(tags_of(RUN)), site.volume({})
    (root,) = site.ec2.describe_volumes(Filters=_attached_to(builder))["Volumes"]
    site.ec2.attach_volume(VolumeId=data, InstanceId=builder, Device="/dev/sdf")
    _alter(site, builder, keep=root["VolumeId"], older=data)
    since = int(cloud.record()[-1]["seq"])

    swept = await sweep(janitor, sweep_of())

    deleted = [one for one in cloud.record(since) if one.get("action") == "DeleteVolume"]
    assert deleted, "it did not go by itself"
    assert types(swept.removed) == ["instance", "volume"]
    assert site.holdings()["volumes"] == [data]


async def test_a_janitor_that_died_between_image_and_snapshot_finds_the_snapshot_again(
    janitor: AwsJanitor, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.image(NAME, site.instance({}), {})
    real = Removal._call

    def dying(self: Any, thing: Thing) -> object:
        if thing.kind == "snapshot":
            raise KeyboardInterrupt
        return real(self, thing)

    with monkeypatch.context() as killed:
        killed.setattr("steadfleet_activities.janitor.removal.Removal._call", dying)
        with pytest.raises(KeyboardInterrupt):
            await janitor.remove(Scope.of(sweep_of()), (HOME,), docker=False)
    swept = await sweep(janitor, sweep_of())

    assert types(swept.removed) == ["snapshot"]
    assert swept.left == ()


@pytest.mark.parametrize(
    "action",
    [
        "TerminateInstances",
        "DeleteVolume",
        "DeregisterImage",
        "DeleteSnapshot",
        "DeleteKeyPair",
        "DeleteSecurityGroup",
    ],
)
async def test_an_answer_that_is_lost_leaves_nothing(
    cloud: LocalCloud, janitor: AwsJanitor, site: Site, action: str
) -> None:
    before = site.holdings()
    site.plant()
    cloud.faults.add("lost", action=action, count=1)

    swept = await sweep(janitor, sweep_of())

    assert swept.left == ()
    assert site.holdings() == before


async def test_a_delete_that_fails_is_told_and_keeps_nothing_else(cloud: LocalCloud, site: Site) -> None:
    janitor = janitor_of(cloud, patience=timedelta(seconds=1))
    site.plant()
    refuse(janitor._at(HOME).ec2, "DeleteSecurityGroup", "DependencyViolation")

    swept = await sweep(janitor, sweep_of())

    assert types(swept.left) == ["security group", "security group"]
    assert {one.why for one in swept.left} == {"DependencyViolation: said the test"}
    assert "instance" in types(swept.removed)
    assert site.holdings()["images"] == [site.base]


async def test_a_dependency_that_ends_is_waited_for(janitor: AwsJanitor, site: Site) -> None:
    before = site.holdings()
    site.plant()
    refuse(janitor._at(HOME).ec2, "DeleteSecurityGroup", "DependencyViolation", count=3)

    swept = await sweep(janitor, sweep_of())

    assert swept.left == ()
    assert site.holdings() == before


async def test_a_machine_that_may_not_be_ended_does_not_keep_the_images(
    cloud: LocalCloud, site: Site
) -> None:
    janitor = janitor_of(cloud, patience=timedelta(seconds=1))
    site.plant()
    refuse(janitor._at(HOME).ec2, "TerminateInstances", "OperationNotPermitted")

    swept = await sweep(janitor, sweep_of())

    assert "instance" in types(swept.left)
    assert "image" in types(swept.removed)


async def test_what_is_refused_for_good_is_not_waited_for(cloud: LocalCloud, site: Site) -> None:
    janitor = janitor_of(cloud, patience=timedelta(minutes=10))
    key = site.key_pair(RUN, {})
    refuse(janitor._at(HOME).ec2, "DeleteKeyPair", "UnauthorizedOperation")

    swept = await sweep(janitor, sweep_of())

    assert [one.id for one in swept.left] == [key]


async def test_a_region_that_does_not_answer_counts_as_left_and_keeps_no_other(
    cloud: LocalCloud, janitor: AwsJanitor, site: Site, other: Site
) -> None:
    before = site.holdings()
    site.plant()
    other.plant()
    cloud.faults.add("error", action="DescribeInstances", region=OTHER)

    found = await find(janitor, sweep_of(OTHER))
    swept = await sweep(janitor, sweep_of(OTHER, HOME))

    assert types(found.left) == ["region"]
    assert [(one.region, one.type) for one in swept.left] == [(OTHER, "region")]
    assert site.holdings() == before


async def test_the_order_is_what_aws_demands(cloud: LocalCloud, janitor: AwsJanitor, site: Site) -> None:
    site.plant()
    since = int(cloud.record()[-1]["seq"])

    await sweep(janitor, sweep_of())

    calls = [one["action"] for one in cloud.record(since) if one["kind"] == "call" and one["mutating"]]
    order = ["CreateTags", "TerminateInstances", "DeregisterImage", "DeleteSnapshot"]
    assert [calls.index(action) for action in order] == sorted(calls.index(action) for action in order)
    assert calls.index("TerminateInstances") < calls.index("DeleteSecurityGroup")


async def test_what_expired_is_found_without_its_run(janitor: AwsJanitor, site: Site) -> None:
    site.plant("image-old", name="old-1.0.0", expires_in=timedelta(hours=-1))
    site.plant("image-new", name="new-1.0.0", expires_in=timedelta(hours=1))
    broken = site.volume({"steadfleet:expires-at": "soon"})
    scope = Scope(expired_before=datetime.now(UTC))

    found = await janitor.find(scope, (HOME,), docker=False)
    swept = await janitor.remove(scope, (HOME,), docker=False)

    assert sorted(set(types(found.left))) == EVERY_TYPE
    assert swept.left == ()
    left = await janitor.find(
        Scope(expired_before=datetime.now(UTC) + timedelta(days=1)), (HOME,), docker=False
    )
    assert sorted(set(types(left.left))) == EVERY_TYPE, "the new run's things are all there"
    assert broken in site.holdings()["volumes"]


def _attached_to(instance: str) -> list[dict[str, Any]]:
    return [{"Name": "attachment.instance-id", "Values": [instance]}]


def _alter(site: Site, instance: str, *, keep: str, older: str) -> None:
    """Let one volume stay when its machine ends, and another be older than the machine."""
    with site.cloud._context.lock:
        backend = ec2_backends[ACCOUNT][site.region]
        for device in backend.get_instance(instance).block_device_mapping.values():
            if device.volume_id == keep:
                device.delete_on_termination = False
        backend.volumes[older].create_time = LONG_AGO.replace(tzinfo=None)


def test_the_clients_are_the_janitor_s_own(cloud: LocalCloud) -> None:
    """One a region, made once."""
    made: list[str] = []

    def regional(region: str) -> JanitorAws:
        made.append(region)
        return JanitorAws.connect(**{**cloud.client_settings, "region_name": region})

    janitor = AwsJanitor(regional)
    assert janitor._at(HOME) is janitor._at(HOME)
    assert made == [HOME]

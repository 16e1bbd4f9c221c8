"""The demo's receipt is counted from what the platform recorded, and sees what went wrong."""

import copy
from typing import Any

import pytest

from receipt import count_receipt

Entry = dict[str, Any]


class Platform:
    """A hand-written platform: three hosts of release `old` in one group, and a record of what is done."""

    def __init__(self) -> None:
        self.record: list[Entry] = []
        self.images: dict[str, str] = dict.fromkeys(("i-a", "i-b", "i-c"), "old")
        self.members = set(self.images)
        self.tags: dict[str, dict[str, str]] = {}
        self.group: dict[str, Any] = {"max_size": 3, "suspended_processes": [], "tags": {"Name": "web"}}
        self.volumes: dict[str, list[str]] = {one: [one] for one in self.images}
        self.others: dict[str, list[dict[str, Any]]] = {"images": [{"id": "old"}, {"id": "new"}]}
        self.before = self.inventory()

    def call(
        self, action: str, parameters: dict[str, str], *resources: str, status: int | None = 200
    ) -> None:
        self.record.append(
            {
                "kind": "call",
                "action": action,
                "parameters": parameters,
                "resources": resources,
                "status": status,
            }
        )

    def machine(self, event: str, instance: str) -> None:
        image = self.images[instance]
        self.record.append({"kind": "machine", "event": event, "instance": instance, "image": image})

    def launch(
        self, instance: str, image: str, host: str, campaign: str = "web-2", attempt: str = "1"
    ) -> None:
        tags = {"steadfleet:host": host, "steadfleet:campaign": campaign, "steadfleet:attempt": attempt}
        flat = {"ImageId": image, "MinCount": "1", "MaxCount": "1"}
        for number, (key, value) in enumerate(tags.items(), start=1):
            flat[f"TagSpecification.1.Tag.{number}.Key"] = key
            flat[f"TagSpecification.1.Tag.{number}.Value"] = value
        self.images[instance] = image
        self.tags[instance] = tags
        self.volumes[instance] = [instance]
        self.machine("booted", instance)
        self.call("RunInstances", flat, "r-1", instance, host)  # the answer repeats the tags

    def attach(self, instance: str) -> None:
        self.members.add(instance)
        self.call("AttachInstances", {"InstanceIds.member.1": instance})

    def end(self, instance: str) -> None:
        self.members.discard(instance)
        self.machine("terminated", instance)
        self.call("TerminateInstances", {"InstanceId.1": instance})
        del self.images[instance]
        del self.volumes[instance]

    def replace(self, host: str, instance: str, image: str = "new", campaign: str = "web-2") -> None:
        self.launch(instance, image, host, campaign)
        self.attach(instance)
        self.end(host)

    def inventory(self) -> dict[str, list[dict[str, Any]]]:
        member = {"state": "InService", "health": "Healthy", "protected": False}
        unchanging = {"min_size": 0, "desired_capacity": 3, "target_groups": []}
        instances = [
            {"id": one, "image": image, "tags": self.tags.get(one, {})} for one, image in self.images.items()
        ]
        return copy.deepcopy(
            {
                "instances": instances,
                "auto_scaling_groups": [
                    {"id": "web", "members": {one: dict(member) for one in self.members}}
                    | unchanging
                    | self.group
                ],
                "volumes": [
                    {"id": f"vol-{one}", "instances": owners} for one, owners in self.volumes.items()
                ],
                **self.others,
            }
        )

    def receipt(self) -> str:
        return str(count_receipt(self.record, self.before, self.inventory()))

    def doubles(self) -> tuple[str, ...]:
        return count_receipt(self.record, self.before, self.inventory()).doubles

    def residue(self) -> tuple[str, ...]:
        return count_receipt(self.record, self.before, self.inventory()).residue


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def changed(platform: Platform) -> Platform:
    """Give a platform whose three hosts were replaced well."""
    for letter in "abc":
        platform.replace(f"i-{letter}", f"i-{letter}2")
    return platform


def test_nothing_done_counts_nothing(platform: Platform) -> None:
    assert platform.receipt() == "changed 0 · failed 0 · restored 0 · touched twice 0 · left behind 0"


def test_each_host_replaced_by_another_release_is_changed(changed: Platform) -> None:
    assert changed.receipt() == "changed 3 · failed 0 · restored 0 · touched twice 0 · left behind 0"


def test_a_canary_that_never_joined_failed_and_is_restored(changed: Platform) -> None:
    changed.launch("i-bad", "bad", host="i-a2", campaign="web-3")
    changed.end("i-bad")

    assert changed.receipt() == "changed 3 · failed 1 · restored 1 · touched twice 0 · left behind 0"


def test_a_canary_that_had_joined_is_restored_by_a_launch_of_its_before(changed: Platform) -> None:
    changed.replace("i-a2", "i-bad", image="bad", campaign="web-3")
    changed.launch("i-back", "new", host="i-a2", campaign="web-3")
    changed.attach("i-back")
    changed.end("i-bad")

    assert changed.receipt() == "changed 3 · failed 1 · restored 1 · touched twice 0 · left behind 0"


def test_a_failed_host_that_is_gone_is_not_restored(platform: Platform) -> None:
    platform.replace("i-a", "i-bad", image="bad")
    platform.end("i-bad")

    assert platform.receipt().startswith("changed 0 · failed 1 · restored 0 ")


def test_a_host_changed_again_by_a_later_campaign_did_not_fail(changed: Platform) -> None:
    changed.replace("i-a2", "i-a3", image="newer", campaign="web-3")

    assert changed.receipt() == "changed 3 · failed 0 · restored 0 · touched twice 0 · left behind 0"


def test_a_retry_that_a_person_asked_for_is_no_double(platform: Platform) -> None:
    platform.launch("i-bad", "new", host="i-a", attempt="1")
    platform.end("i-bad")
    platform.launch("i-a2", "new", host="i-a", attempt="2")
    platform.attach("i-a2")
    platform.end("i-a")

    assert platform.receipt() == "changed 1 · failed 1 · restored 0 · touched twice 0 · left behind 0"


def test_a_second_launch_for_the_same_host_is_touched_twice_and_left_behind(changed: Platform) -> None:
    changed.launch("i-twin", "new", host="i-a")

    assert changed.doubles() == ("web-2 launched new for i-a 2 times",)
    assert "instance i-twin runs outside of every group" in changed.residue()


def test_a_second_launch_that_was_ended_again_is_still_touched_twice(changed: Platform) -> None:
    changed.launch("i-twin", "new", host="i-a")
    changed.end("i-twin")

    assert changed.doubles() == ("web-2 launched new for i-a 2 times",)
    assert changed.residue() == ()


def test_two_machines_in_one_place_are_touched_twice(platform: Platform) -> None:
    platform.launch("i-a2", "new", host="i-a")
    platform.attach("i-a2")

    assert any("both serve in place of i-a" in double for double in platform.doubles())
    assert "group web had 3 members, has 4" in platform.residue()


def test_a_group_that_refilled_itself_is_touched_twice(platform: Platform) -> None:
    platform.images["i-own"] = "old"
    platform.volumes["i-own"] = ["i-own"]
    platform.machine("booted", "i-own")
    platform.members.add("i-own")

    assert platform.doubles() == ("i-own was launched by no call: a group refilled itself",)


def test_an_untagged_launch_is_found(changed: Platform) -> None:
    changed.launch("i-stray", "new", host="", campaign="")

    assert "instance i-stray runs outside of every group" in changed.residue()


def test_a_refused_or_unanswered_launch_has_launched_nothing(platform: Platform) -> None:
    platform.call("RunInstances", {"ImageId": "new"}, "i-never", status=503)
    platform.call("RunInstances", {"ImageId": "new"}, status=None)

    assert platform.receipt() == "changed 0 · failed 0 · restored 0 · touched twice 0 · left behind 0"


def test_a_member_whose_program_has_died_is_not_changed(changed: Platform) -> None:
    changed.machine("exited", "i-a2")

    assert changed.receipt().startswith("changed 2 · ")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_size", 5), ("suspended_processes", ["Launch"]), ("tags", {"Name": "web", "steadfleet:held": "1"})],
)
def test_a_group_that_was_not_put_back_is_left_behind(changed: Platform, setting: str, value: object) -> None:
    changed.group[setting] = value

    assert [line for line in changed.residue() if line.startswith(f"group web: {setting} was")]


def test_the_note_of_where_the_template_stood_before_is_there_to_stay(changed: Platform) -> None:
    changed.group["tags"] = {"Name": "web", "steadfleet:previous-template-version": "1"}

    assert changed.residue() == ()


def test_what_belongs_to_nothing_is_left_behind(changed: Platform) -> None:
    changed.volumes["i-gone"] = []
    changed.others["key_pairs"] = [{"id": "key-1"}]
    changed.others["network_interfaces"] = [{"id": "eni-1", "instance": None}]
    changed.others["target_groups"] = [{"id": "tg", "targets": ["i-a", "i-a2"]}]
    changed.tags["i-b2"]["steadfleet:expires-at"] = "tomorrow"

    assert set(changed.residue()) == {
        "volume vol-i-gone belongs to no instance",
        "key_pairs: key-1",
        "network interface eni-1 belongs to no instance",
        "target_groups: tg",
        "i-a is a target and no member",
        "instance i-b2 still carries steadfleet:expires-at",
    }


def test_a_machine_behind_no_instance_is_left_behind(changed: Platform) -> None:
    changed.images["i-ghost"] = "old"
    changed.machine("booted", "i-ghost")
    del changed.images["i-ghost"]

    assert "machine i-ghost runs behind no instance" in changed.residue()

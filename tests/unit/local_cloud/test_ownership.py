import os
import subprocess
from dataclasses import replace

from steadfleet_local_cloud.ownership import Owner


def test_a_label_tells_its_owner_again() -> None:
    owner = Owner.current()

    assert Owner.read(owner.label) == owner
    assert not owner.dead


def test_an_owner_is_dead_when_its_process_is_or_another_has_its_number() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        assert replace(Owner.current(), pid=process.pid).dead
    assert replace(Owner.current(), started="1").dead


def test_an_owner_from_before_this_machine_was_started_is_dead() -> None:
    assert replace(Owner.current(), uptime="another").dead


def test_of_another_machines_or_namespaces_owner_nobody_can_tell() -> None:
    nobody = replace(Owner.current(), pid=os.getpid(), started="1")

    assert nobody.dead
    assert not replace(nobody, machine="another").dead
    assert not replace(nobody, machine="another", uptime="another").dead
    assert not replace(nobody, namespace="1").dead


def test_what_is_no_label_of_ours_has_no_owner() -> None:
    assert Owner.read("") is None
    assert Owner.read("someone") is None
    assert Owner.read("a/b/c/d/e") is None

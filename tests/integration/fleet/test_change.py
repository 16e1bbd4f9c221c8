"""A host is replaced by a fresh one from the exact image, and a bad release never serves."""

from integration.fleet.bench import Bench

from steadfleet_core.fleet import HostState


async def test_good_release_takes_the_hosts_place(bench: Bench) -> None:
    bench.make_room()
    image, before = bench.image("good-2.0"), bench.shape()
    host = (await bench.hosts())[0]

    outcome = await bench.run(bench.change(host, image))

    assert outcome.state is HostState.CHANGED
    assert bench.members()[outcome.instance] == host.zone
    assert host.id not in bench.members()
    assert bench.images() == {bench.made.image: 2, image.id: 1}
    assert bench.shape() == before


async def test_answering_500_fails_and_the_old_host_serves(bench: Bench) -> None:
    bench.make_room()
    image = bench.image("bad-500")
    host = (await bench.hosts())[0]
    before = bench.shape()
    change = bench.change(host, image)

    outcome = await bench.run(change)

    assert outcome.state is HostState.FAILED
    assert "http :8080/healthz answered 500, expected 200" in outcome.reason
    assert outcome.reason.endswith("the old host still serves")
    assert set(bench.targets()) == set(bench.members()) == set(bench.made.instances)

    restored = await bench.run(bench.restore(change))

    assert (restored.state, restored.instance) == (HostState.RESTORED, host.id)
    assert bench.shape() == before


async def test_changed_host_is_restored_to_its_before(bench: Bench) -> None:
    bench.make_room()
    image, host = bench.image("good-2.0"), (await bench.hosts())[0]
    before = bench.shape()
    change = bench.change(host, image)
    await bench.run(change)

    restored = await bench.run(bench.restore(change))

    assert restored.state is HostState.RESTORED
    assert bench.images() == {bench.made.image: 3}
    assert bench.shape() == before

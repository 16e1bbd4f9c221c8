"""An order is resolved, or all that is wrong with it is said; only its sources are stored."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.activities.image.stand_ins import (
    EXPIRES_AT,
    RUN,
    TEMPLATE,
    FakePlatform,
    FakeS3,
    contract,
    find_packer,
    packed,
    preparation,
)

from steadfleet_activities.image.prepare import Inputs, Preparations
from steadfleet_activities.image.store import ImageStore
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import GoldenImage
from steadfleet_core.image.order import Base, Build, Platform
from steadfleet_core.model import digest_of

INPUTS: dict[str, Any] = {
    "sources": digest_of(b"sources"),
    "template": "web.pkr.hcl",
    "variables": {"greeting": "hello"},
    "base": "ami-0123456789abcdef0",
    "base_digest": digest_of(b"base"),
    "platform": Platform.AWS,
    "packer_version": "1.6.6",
}


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sources"
        self.s3 = FakeS3()
        self.platform = FakePlatform()
        store = ImageStore(self.s3)  # type: ignore[arg-type]  # a stand-in
        self.preparations = Preparations(store, {Platform.DOCKER: self.platform}, find_packer)

    async def prepare(self, image: GoldenImage, template: str = TEMPLATE, **changed: Any) -> Build:
        asked = preparation(image, packed(self.folder, template), **changed)
        return await self.preparations.prepare(asked)

    async def refused(self, image: GoldenImage, template: str = TEMPLATE, **changed: Any) -> str:
        with pytest.raises(RefusedError) as refused:
            await self.prepare(image, template, **changed)
        assert self.s3.objects == {}, "nothing is stored of what is refused"
        return str(refused.value)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_build_says_all_that_floated(bench: Bench) -> None:
    build = await bench.prepare(contract(build={"variables": {"greeting": "salve"}}))

    assert (build.family, build.version, build.run, build.expires_at) == ("web", "1.4.2", RUN, EXPIRES_AT)
    assert (build.platform, build.region) == (Platform.DOCKER, "docker")
    assert build.base == bench.platform.base
    assert build.packer_version == "1.6.6"
    assert build.image_name == "web-1.4.2-00000000000a"
    assert list(bench.s3.objects) == [f"sources/{build.sources.removeprefix('sha256:')}.tar.gz"]


async def test_same_order_has_the_same_key_in_another_run(bench: Bench) -> None:
    first = await bench.prepare(contract())
    again = await bench.prepare(contract(), run=RUN.replace("a", "b"))

    assert first.key == again.key


@pytest.mark.parametrize(
    "changed", [{"build": {"variables": {"greeting": "salve"}}}, {"template": TEMPLATE + "\n"}]
)
async def test_other_inputs_have_another_key(bench: Bench, changed: dict[str, Any]) -> None:
    first = await bench.prepare(contract())
    template = changed.pop("template", TEMPLATE)

    assert (await bench.prepare(contract(**changed), template)).key != first.key


async def test_another_base_is_another_key(bench: Bench) -> None:
    first = await bench.prepare(contract())
    bench.platform.base = Base(id="sha256:other")

    assert (await bench.prepare(contract())).key != first.key


@given(st.dictionaries(st.text(min_size=1), st.text()), st.randoms())
def test_order_of_variables_makes_no_difference_to_the_key(variables: dict[str, str], dice: Any) -> None:
    items = list(variables.items())
    dice.shuffle(items)

    assert (
        Inputs(**{**INPUTS, "variables": dict(items)}).key == Inputs(**{**INPUTS, "variables": variables}).key
    )


@pytest.mark.parametrize("name", INPUTS)
def test_each_input_makes_a_difference_to_the_key(name: str) -> None:
    other: dict[str, Any] = {
        "sources": digest_of(b"other"),
        "variables": {"greeting": "other"},
        "base_digest": None,
        "platform": Platform.DOCKER,
    }

    assert Inputs(**{**INPUTS, name: other.get(name, "other")}).key != Inputs(**INPUTS).key


def test_variable_and_value_do_not_run_into_each_other() -> None:
    one, other = ({"a": "b,c"}, {"a": "b", "c": ""})

    assert Inputs(**{**INPUTS, "variables": one}).key != Inputs(**{**INPUTS, "variables": other}).key


async def test_file_that_the_order_lacks_is_named(bench: Bench) -> None:
    image = contract(build={"files": ["setup.sh", "./scripts/"]})

    assert await bench.refused(image) == (
        "setup.sh: is named, and the order does not bring it along\n"
        "./scripts/: is named, and the order does not bring it along"
    )


async def test_every_problem_of_the_template_is_said(bench: Bench) -> None:
    template = TEMPLATE.replace("commit      = true", "").replace('"run"', '"walk"')

    said = await bench.refused(contract(build={"variables": {"size": "1"}}), template)

    assert "commit: (missing)" in said
    assert "variable run is not declared" in said
    assert "declares no such variable" in said


async def test_everything_that_the_platform_refuses_is_said(bench: Bench) -> None:
    bench.platform.refused_base = "there is no base"
    bench.platform.refused_variables = "there is no subnet"
    publish = {
        "regions": [{"name": "eu-west-1"}],
        "shareWith": ["111122223333"],
        "channel": "dev",
    }

    said = await bench.refused(contract(publish=publish, version="1.4.2-" + "x" * 128))

    assert [line.split(":")[0] for line in said.splitlines()] == [
        "spec.publish.regions",
        "spec.publish.shareWith",
        "spec.gates.signature",
        "spec.publish.channel",
        said.splitlines()[4].split(":")[0],
        "there is no subnet",
        "there is no base",
    ]
    assert "expected at most 128" in said.splitlines()[4]


async def test_image_that_only_the_engine_gets_needs_neither_signature_nor_channel(bench: Bench) -> None:
    gates = {"signature": False, "provenance": False}

    build = await bench.prepare(contract(publish={}, gates=gates))

    assert build.region == "docker"


async def test_version_that_is_released_already_is_refused(bench: Bench) -> None:
    bench.platform.released_as = "ami-1 in eu-west-1"
    publish = {"registries": [{"name": "registry.example.com/golden"}]}

    said = await bench.refused(contract(publish=publish))

    assert said == "web@1.4.2 is ami-1 in eu-west-1 already: write another version in spec.version"
    assert bench.platform.done == ["looked for web@1.4.2 at registry.example.com/golden"]


async def test_platform_that_the_worker_lacks_is_refused(bench: Bench) -> None:
    bench.preparations._platforms = {}

    assert "this worker has no docker: start it where there is a Docker engine" in await bench.refused(
        contract()
    )


@pytest.mark.parametrize(
    ("sources", "words"), [("no base64!", "are not base64"), ("bm8gYXJjaGl2ZQ==", "cannot be unpacked")]
)
async def test_sources_that_are_none_are_refused(bench: Bench, sources: str, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        await bench.preparations.prepare(preparation(contract(), sources))

"""A container image from its contract to two registries, and back to nothing: as a person does it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from e2e.container_stage import Family, Stack, docker, missing, require_programs, small_base

from fakes.registry import FakeRegistry
from fakes.serving import Answer, Request
from steadfleet_cli.exits import ExitCode
from steadfleet_local_cloud.base_image import ensure_base_image
from steadfleet_local_cloud.engine import Engine
from steadfleet_local_cloud.errors import BaseImageError, EngineError

pytestmark = pytest.mark.docker

PROOFS = ("signature", "provenance", "sbom", "tests")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    require_programs()
    with TemporaryDirectory(prefix="oci-") as folder, Stack(Path(folder)).running() as running:
        yield running


@pytest.fixture(scope="module")
def busybox() -> Iterator[str]:
    require_programs()
    with small_base() as name:
        yield name


@pytest.fixture(scope="module")
def debian() -> str:
    require_programs()
    try:
        return ensure_base_image(Engine.connect()).tag
    except (EngineError, BaseImageError) as error:
        missing(f"a Debian with Python ({error})")


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry.running() as registry:
        yield registry


@pytest.fixture
def old_registry() -> Iterator[FakeRegistry]:
    """Give a registry of before distribution-spec 1.1, which lists no referrers."""
    with FakeRegistry.running(referrers_api=False) as registry:
        yield registry


@pytest.fixture
def family(
    stack: Stack, busybox: str, registry: FakeRegistry, old_registry: FakeRegistry, tmp_path: Path
) -> Iterator[Family]:
    family = Family.of_busybox(stack, tmp_path, busybox, registry.host, old_registry.host)
    yield family
    family.remove()


def proven(family: Family, registry: FakeRegistry) -> tuple[int, list[str]]:
    """Ask a worker about the copy at a registry, with all that can be demanded."""
    demands = [word for proof in PROOFS for word in ("--demand", proof)]
    words = ("--place", f"{registry.host}/golden", "--deep", *demands)
    asked = family.image("verify", family.name, "2.0.0", *words, "--output", "json")
    return asked.returncode, json.loads(asked.stdout)["satisfied"]


def test_the_example_is_built_tried_judged_signed_and_published_to_two_registries(
    stack: Stack, debian: str, registry: FakeRegistry, old_registry: FakeRegistry, tmp_path: Path
) -> None:
    family = Family.of_the_example(stack, tmp_path, debian, registry.host, old_registry.host)
    try:
        built = family.image("build", "--wait")
        assert built.returncode == ExitCode.OK, built.stdout + built.stderr
        status = family.status()["status"]
        left = family.in_engine()
        served = answer_of(status["places"][0]["id"])
    finally:
        family.remove()

    assert left == [], "once it is at its registries, the engine needs it no more"
    assert status["obligations"] == []
    assert [result["verdict"] for result in status["examination"]["results"]] == ["passed"] * 4
    assert status["examination"]["components"] > 100
    [waived] = status["gate"]["findings"]
    assert (waived["id"], waived["package"], waived["blocks"]) == ("DEBIAN-CVE-2023-45853", "zlib", False)
    assert [place["state"] for place in status["places"]] == ["released"] * 2
    [content] = {place["content"] for place in status["places"]}
    for one in (registry, old_registry):
        repository = one.repositories[f"golden/{family.name}"]
        assert repository.tags["2.0.0"] == content
        assert len(repository.referrers(content)) == len(PROOFS)
    assert f"sha256-{content.removeprefix('sha256:')}" in repository.tags, "the list of an older registry"
    assert status["channel"] == "dev"
    assert served["version"] == "2.0"


def answer_of(image: str) -> dict[str, str]:
    """Run the image as anybody would who pulls it, and ask it."""
    docker("pull", "--quiet", image)
    container = docker("run", "--rm", "--detach", "--label", "steadfleet-test=oci", image)
    try:
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container)
        transport = httpx.HTTPTransport(retries=8)  # while it starts
        with httpx.Client(transport=transport, trust_env=False) as client:
            told: dict[str, str] = client.get(f"http://{address}:8080/healthz").json()
        return told
    finally:
        docker("rm", "--force", container)
        docker("rmi", "--force", image)


def test_a_published_copy_is_tried_again_and_the_engine_forgets_it(family: Family) -> None:
    built = family.image("build", "--wait")
    tried = family.image("test", family.name, "2.0.0")

    assert built.returncode == ExitCode.OK, built.stdout + built.stderr
    assert tried.returncode == ExitCode.OK, tried.stdout + tried.stderr
    assert "tests: 3 passed, 0 did not" in tried.stdout
    assert family.in_engine() == []


def test_a_copy_that_is_not_named_is_asked_for(family: Family) -> None:
    asked = family.image("verify", family.name, "2.0.0", "--platform", "docker")

    assert asked.returncode == ExitCode.REFUSED
    assert "expected which one is meant, by --place" in asked.stderr


def test_copies_are_proven_at_each_registry_and_not_without_their_attestations(
    family: Family, registry: FakeRegistry, old_registry: FakeRegistry
) -> None:
    built = family.image("build", "--wait")
    assert built.returncode == ExitCode.OK, built.stdout + built.stderr
    for one in (registry, old_registry):
        assert proven(family, one) == (ExitCode.OK, list(PROOFS))

    repository = registry.repositories[f"golden/{family.name}"]
    content = repository.tags["2.0.0"]
    for referrer in repository.referrers(content):
        del repository.manifests[referrer.digest]

    assert proven(family, registry)[0] == ExitCode.NOT_SUCCEEDED
    assert proven(family, old_registry)[0] == ExitCode.OK


@pytest.mark.parametrize("waiver", ["none", "over"])
def test_what_is_not_waived_is_refused_and_nothing_is_left(
    family: Family, registry: FakeRegistry, old_registry: FakeRegistry, waiver: str
) -> None:
    if waiver == "none":
        family.replace("- id: CVE-2023-45853", "- id: CVE-2022-37434")
    else:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        family.replace("expires: 2028-06-30  # when Debian 12 ends", f"expires: {yesterday}")

    built = family.image("build", "--wait")

    assert built.returncode == ExitCode.NOT_SUCCEEDED, built.stdout + built.stderr
    assert "1 vulnerabilities of at least high are not waived: DEBIAN-CVE-2023-45853 in zlib" in built.stdout
    assert family.in_engine() == []
    assert (family.at(registry), family.at(old_registry)) == ({}, {})


def test_an_abort_while_packer_runs_leaves_nothing(
    family: Family, registry: FakeRegistry, old_registry: FakeRegistry
) -> None:
    script = family.folder / "image/install.sh"
    script.write_text(f"{script.read_text()}echo halfway\nsleep 600\n")
    assert family.image("build").returncode == ExitCode.OK
    family.until(lambda shown: "halfway" in json.dumps(shown["steps"]), "packer is at work")
    assert family.in_engine(), "packer's container is there"

    aborted = family.image("abort", family.name, "2.0.0", "--reason", "wrong base")
    ended = family.image("watch", family.name, "2.0.0")

    assert aborted.returncode == ExitCode.OK, aborted.stderr
    assert ended.returncode == ExitCode.NOT_SUCCEEDED
    status = family.status()["status"]
    assert (status["state"], status["obligations"]) == ("aborted", [])
    assert family.in_engine() == []
    assert (family.at(registry), family.at(old_registry)) == ({}, {})


class ClosedRegistry(FakeRegistry):
    """A registry that lets anybody look, and nobody push."""

    def answer(self, request: Request) -> Answer:
        if request.method in {"GET", "HEAD"}:
            return super().answer(request)
        return Answer.of_json({"errors": [{"code": "DENIED", "message": "this registry is closed"}]}, 403)


@pytest.mark.parametrize("referrers_api", [True, False])
def test_a_copy_is_withdrawn_with_its_attestations_when_another_registry_takes_none(
    stack: Stack, busybox: str, tmp_path: Path, *, referrers_api: bool
) -> None:
    with FakeRegistry.running(referrers_api=referrers_api) as registry, ClosedRegistry.running() as closed:
        family = Family.of_busybox(stack, tmp_path, busybox, registry.host, closed.host)
        family.replace("    channel: dev\n", "    channel: dev\n    attempts: 1\n")
        try:
            assert family.image("build").returncode == ExitCode.OK
            halted = family.until(lambda shown: shown["status"]["state"] == "halted", "it halts")
            [ready, failed] = halted["status"]["places"]
            there = family.at(registry)
            family.image("abort", family.name, "2.0.0", "--reason", "no second registry")
            ended = family.image("watch", family.name, "2.0.0")
            status = family.status()["status"]
            left = family.in_engine()
        finally:
            family.remove()

    assert (ready["state"], failed["state"]) == ("ready", "failed")
    assert "this registry is closed" in failed["reason"]
    assert len(there) >= 1 + len(PROOFS)
    assert ended.returncode == ExitCode.NOT_SUCCEEDED
    assert (status["state"], status["obligations"]) == ("aborted", [])
    assert family.at(registry) == {}
    assert left == []

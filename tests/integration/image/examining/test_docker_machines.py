"""An image tried over OpenSSH on a small Debian that stands for an instance."""

import pytest
from integration.image.examining.bench import HTTP, Bench

from steadfleet_activities.image.examining.sbom import components_of
from steadfleet_activities.image.store import Kept

pytestmark = pytest.mark.docker


async def test_an_image_is_booted_asked_by_ssh_and_listed(docker_bench: Bench) -> None:
    suite = "def test_it(host):\n    assert host.file('/etc/os-release').contains('debian')\n"
    order = docker_bench.order(
        {"type": "http", "port": HTTP, "path": "/healthz"},
        {"type": "command", "run": "dpkg --audit && id -un", "stdout": "^root$"},
        {"type": "file", "path": "/root/.ssh/id_ed25519", "absent": True},
        {"type": "testinfra", "file": "tests/test_it.py"},
        files={"tests__test_it_py": suite},
        sbom=True,
    )

    report = await docker_bench.examining.examine(order, docker_bench.said.append)

    assert [result.verdict.value for result in report.results] == ["passed"] * 5, report.results
    assert report.sbom
    components = components_of(docker_bench.store.get(Kept.SBOM, report.sbom))
    assert {"openssh", "dpkg"} <= {component.name for component in components}
    assert {component.database for component in components} == {"debian"}
    assert docker_bench.nothing_is_left()

"""Temporal's own chart, rendered with our values by a real helm, for a real API server.

No registry has the chart: who runs this says in TEMPORAL_CHART where it lies.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from kubernetes.api_server import ApiServer, names_of
from kubernetes.programs import ROOT, Programs
from kubernetes.rendering import Object, Rendering

pytestmark = pytest.mark.temporal_chart

VERSION = "1.6.0"
_TEMPLATED = re.compile(r"\{\{.*?\}\}")
_FOLDER = ROOT / "deploy/kubernetes/temporal"
LAYERS = {
    "dev": ("dev",),
    "ha": ("ha",),
    "ha with TLS": ("ha", "tls"),
    "in earnest": ("ha", "tls", "jwt"),
}
"""Each installation, by the files of values that are laid over one another."""


@pytest.fixture(scope="session")
def chart() -> Path:
    return Path(os.environ["TEMPORAL_CHART"])


@pytest.fixture(scope="session")
def namespace(cluster: ApiServer) -> ApiServer:
    """Give the API server with the namespace for real: dry runs need it."""
    cluster.must("create", "namespace", "temporal")
    return cluster


def helm(programs: Programs, chart: Path, layers: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    files = [f"--values={_FOLDER / f'values-{name}.yaml'}" for name in LAYERS[layers]]
    command = [
        str(programs.helm / "helm"),
        "template",
        "temporal",
        str(chart),
        "--namespace=temporal",
        *files,
    ]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    versions = "--api-versions=monitoring.coreos.com/v1"
    return subprocess.run(
        [*command, versions, *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
    )


def rendered(programs: Programs, chart: Path, layers: str, *arguments: str) -> Rendering:
    ran = helm(programs, chart, layers, *arguments)
    assert ran.returncode == 0, ran.stderr
    return Rendering([found for found in yaml.safe_load_all(ran.stdout) if found])


def test_it_is_the_chart_that_the_values_were_written_for(chart: Path) -> None:
    assert yaml.safe_load((chart / "Chart.yaml").read_text())["version"] == VERSION


@pytest.mark.parametrize("layers", LAYERS)
def test_every_object_is_accepted(namespace: ApiServer, programs: Programs, chart: Path, layers: str) -> None:
    rendering = rendered(programs, chart, layers)

    tried = namespace.try_out(rendering.objects)

    assert (tried.returncode, tried.stderr) == (0, "")
    assert len(names_of(tried.stdout)) == len(rendering.objects)


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("server.frontend.replicaCount=two", "Deployment in version"),
        ("server.frontend.podDisruptionBudget.minAvailable=1", "cannot be both set"),
        ("server.frontend.resources.limits.memory=much", "quantities must match"),
    ],
)
def test_a_planted_mistake_is_refused(
    namespace: ApiServer, programs: Programs, chart: Path, planted: str, said: str
) -> None:
    tried = namespace.try_out(rendered(programs, chart, "in earnest", f"--set={planted}").objects)

    assert tried.returncode != 0
    assert said in tried.stderr


def test_in_earnest_the_server_asks_for_certificates_and_tokens(programs: Programs, chart: Path) -> None:
    config = rendered(programs, chart, "in earnest").named("ConfigMap", "temporal-config")["data"]
    asked = yaml.safe_load(_TEMPLATED.sub("said", config["config_template.yaml"]))["global"]

    for way in ("internode", "frontend"):
        assert asked["tls"][way]["server"]["requireClientAuth"] is True
    assert asked["authorization"]["authorizer"] == "default"
    assert asked["authorization"]["audience"] == "steadfleet"


def test_whoever_talks_to_the_database_has_its_authority(programs: Programs, chart: Path) -> None:
    """The chart names the file and mounts nothing by itself."""
    talking = [
        container
        for one in rendered(programs, chart, "in earnest").of_kind("Deployment", "Job")
        for container in _containers(one)
        if container["name"] != "done" and not container["image"].startswith("temporalio/ui:")
    ]
    mounts = {one["name"]: {mount["mountPath"] for mount in one["volumeMounts"]} for one in talking}

    assert len(mounts) == 9
    assert [name for name, paths in mounts.items() if "/etc/temporal/database" not in paths] == []


def _containers(running: Object) -> list[Object]:
    pod = running["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]

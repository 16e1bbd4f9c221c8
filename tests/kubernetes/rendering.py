"""What kustomize makes of each example, and how to find one's way in it."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from kubernetes.programs import ROOT, Programs

Object = dict[str, Any]
EXAMPLES = ROOT / "deploy/kubernetes/examples"
FORMS: Mapping[str, Sequence[str]] = {
    "cloud": ("cloud",),
    "self-host": ("self-host",),
    "plain": ("plain/shared", "plain/release"),
}
"""Each whole installation, by the renderings that it consists of."""
RUNNING = ("Deployment", "StatefulSet", "WorkerDeployment")


@dataclass
class Rendering:
    """The objects of one installation."""

    objects: list[Object]

    def of_kind(self, *kinds: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] in kinds]

    def named(self, kind: str, name: str) -> Object:
        return next(found for found in self.of_kind(kind) if found["metadata"]["name"] == name)

    def running(self) -> list[Object]:
        return self.of_kind(*RUNNING)

    def workers(self) -> list[Object]:
        """Return what polls a task queue; the codec server answers requests."""
        return [found for found in self.running() if component_of(found) == "worker"]

    def worker(self, name: str) -> Object:
        """Return what runs a service, whatever its form calls it."""
        return next(found for found in self.running() if service_of(found) == name)

    def text(self) -> str:
        return yaml.safe_dump_all(self.objects)


def rendered(programs: Programs, form: str) -> Rendering:
    """Return the installation, each time anew: a test may change it."""
    return Rendering([found for part in FORMS[form] for found in deepcopy(built(programs, part))])


@cache
def built(programs: Programs, part: str) -> tuple[Object, ...]:
    """Return what kustomize makes of one example. Not to be changed: it is made once."""
    ran = programs.kubectl(["kustomize", EXAMPLES / part])
    assert ran.returncode == 0, f"{part}: {ran.stderr}"
    return tuple(yaml.safe_load_all(ran.stdout))


def service_of(running: Object) -> str:
    return str(running["metadata"]["labels"]["app.kubernetes.io/name"])


def component_of(running: Object) -> str:
    return str(running["metadata"]["labels"]["app.kubernetes.io/component"])


def pod_of(running: Object) -> Object:
    pod: Object = running["spec"]["template"]["spec"]
    return pod


def container_of(running: Object) -> Object:
    (container,) = pod_of(running)["containers"]
    found: Object = container
    return found


def written_env(running: Object) -> dict[str, str]:
    """Return the variables that have a value in clear."""
    return {said["name"]: said["value"] for said in container_of(running)["env"] if "value" in said}


def env_of(rendering: Rendering, running: Object) -> dict[str, str]:
    """Return all variables of a worker: those of its maps, and a stand-in for what only its cluster knows."""
    env: dict[str, str] = {}
    sources = {source["configMapRef"]["name"] for source in container_of(running)["envFrom"]}
    for found in rendering.of_kind("ConfigMap"):
        if found["metadata"]["name"] in sources:
            env |= found.get("data", {})
    return env | {
        said["name"]: said.get("value", f"of-{said['name'].lower()}") for said in container_of(running)["env"]
    }


def templates_of(rendering: Rendering) -> Iterator[tuple[Object, Object]]:
    """Give each WorkerResourceTemplate with what it holds."""
    for found in rendering.of_kind("WorkerResourceTemplate"):
        yield found, found["spec"]["template"]

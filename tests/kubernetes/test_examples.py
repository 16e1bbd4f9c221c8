"""What the examples render to is what an operator would sign; and each check finds what it is there for."""

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.installation import problems
from kubernetes.programs import Programs
from kubernetes.rendering import Rendering, container_of, pod_of, rendered

pytestmark = pytest.mark.kubernetes

Mutate = Callable[[Rendering], Any]


def test_an_example_has_nothing_wrong(rendering: Rendering) -> None:
    assert problems(rendering) == []


def _worker(rendering: Rendering) -> dict[str, Any]:
    return rendering.worker("patch-campaign")


def _container(rendering: Rendering) -> dict[str, Any]:
    return container_of(_worker(rendering))


def _env(rendering: Rendering, name: str, value: str) -> None:
    _container(rendering)["env"].append({"name": name, "value": value})


def _forget(rendering: Rendering, name: str) -> None:
    env = _container(rendering)["env"]
    env[:] = [said for said in env if said["name"] != name]


def _held(rendering: Rendering, kind: str) -> dict[str, Any]:
    templates = (found["spec"]["template"] for found in rendering.of_kind("WorkerResourceTemplate"))
    spec: dict[str, Any] = next(found for found in templates if found["kind"] == kind)["spec"]
    return spec


def _settings(rendering: Rendering) -> dict[str, str]:
    maps = (found["data"] for found in rendering.of_kind("ConfigMap") if "TEMPORAL_ADDRESS" in found["data"])
    data: dict[str, str] = next(maps)
    return data


MISTAKES: dict[str, tuple[Mutate, str]] = {
    "no liveness": (lambda r: _container(r).pop("livenessProbe"), "livenessProbe asks for None"),
    "the wrong path": (
        lambda r: _container(r)["readinessProbe"]["httpGet"].update(path="/healthz"),
        "expected /readyz",
    ),
    "the wrong port": (
        lambda r: _container(r)["readinessProbe"]["httpGet"].update(port="metrics"),
        "where nobody answers",
    ),
    "an impatient probe": (
        lambda r: _container(r)["readinessProbe"].pop("timeoutSeconds"),
        "gives up before",
    ),
    "no limit": (lambda r: _container(r)["resources"].pop("limits"), "no memory under resources.limits"),
    "an unbounded folder": (
        lambda r: pod_of(_worker(r))["volumes"].append({"name": "x", "emptyDir": {}}),
        "emptyDir",
    ),
    "root": (lambda r: pod_of(_worker(r))["securityContext"].update(runAsUser=0), "runAsNonRoot"),
    "a writable root": (
        lambda r: _container(r)["securityContext"].update(readOnlyRootFilesystem=False),
        "readOnlyRootFilesystem",
    ),
    "no seccomp": (lambda r: pod_of(_worker(r))["securityContext"].pop("seccompProfile"), "seccompProfile"),
    "killed too soon": (lambda r: pod_of(_worker(r)).update(terminationGracePeriodSeconds=60), "may need"),
    "packer killed too soon": (
        lambda r: pod_of(r.worker("image-build")).update(terminationGracePeriodSeconds=270),
        "image-build: it is killed",
    ),
    "a longer goodbye": (
        lambda r: _settings(r).update(STEADFLEET_GRACEFUL_SHUTDOWN_TIME="10m"),
        "may need 0:13:10",
    ),
    "a key in clear": (lambda r: _env(r, "TEMPORAL_API_KEY", "abc"), "TEMPORAL_API_KEY is written in clear"),
    "a key among the settings": (lambda r: _settings(r).update(AWS_SECRET_ACCESS_KEY="abc"), "in clear"),
    "a secret in the tree": (
        lambda r: r.objects.append({"kind": "Secret", "metadata": {"name": "x"}}),
        "a secret is written here",
    ),
    "no such program": (lambda r: _container(r).update(command=["steadfleet-patch"]), "no command of ours"),
    "another's program": (lambda r: _container(r).update(command=["steadfleet-janitor"]), "nobody runs"),
    "no release": (lambda r: _container(r).update(image="steadfleet/steadfleet"), "names no release"),
    "another's account": (lambda r: pod_of(_worker(r)).update(serviceAccountName="janitor"), "of its own"),
    "one role for two": (
        lambda r: r.named("ServiceAccount", "janitor")["metadata"].update(
            annotations=r.named("ServiceAccount", "signer")["metadata"]["annotations"]
        ),
        "the same role",
    ),
    "a second signer": (
        lambda r: _container(r)["envFrom"].append(container_of(r.worker("signer"))["envFrom"][-1]),
        "expected the signer alone",
    ),
    "an open network": (
        lambda r: r.objects.remove(r.named("NetworkPolicy", "default-deny")),
        "no NetworkPolicy denies",
    ),
    "a policy for nobody": (
        lambda r: r.named("NetworkPolicy", "hosts")["spec"].update(podSelector={"matchLabels": {"a": "b"}}),
        "hosts selects no pod",
    ),
    "a map that is not there": (
        lambda r: _container(r)["envFrom"].append({"configMapRef": {"name": "other"}}),
        "there is no ConfigMap other",
    ),
    "a volume that is not there": (
        lambda r: _container(r)["volumeMounts"].append({"name": "other", "mountPath": "/other"}),
        "there is no volume other",
    ),
}
VERSIONED: dict[str, tuple[Mutate, str]] = {
    "no budget": (
        lambda r: r.objects.remove(r.named("WorkerResourceTemplate", "signer-disruption")),
        "no budget",
    ),
    "a budget of one": (lambda r: r.worker("signer")["spec"].update(replicas=1), "forbids to drain"),
    "what the controller adds": (
        lambda r: _env(r, "TEMPORAL_NAMESPACE", "default"),
        "what the controller adds",
    ),
    "steps that fall": (lambda r: _worker(r)["spec"]["rollout"]["steps"].reverse(), "do not rise"),
    "scaled to nothing": (lambda r: _held(r, "ScaledObject").update(minReplicaCount=0), "scaled to nothing"),
    "two that scale": (lambda r: _worker(r)["spec"].update(replicas=2), "would both scale it"),
    "scaled by another's queue": (
        lambda r: _held(r, "ScaledObject")["triggers"][0]["metadata"].update(taskQueue="janitor"),
        "scaled by task queue janitor",
    ),
    "drained, and brought back": (
        lambda r: _worker(r)["spec"]["sunset"].update(deleteDelay="24h"),
        "bring back a drained version",
    ),
    "an address that was not set": (
        lambda r: r.named("Connection", "temporal")["spec"].update(hostPort="from.the.settings:7233"),
        "did not reach where it belongs",
    ),
}
PLAIN: dict[str, tuple[Mutate, str]] = {
    "no version": (lambda r: _forget(r, "TEMPORAL_WORKER_BUILD_ID"), "no version"),
    "another release": (
        lambda r: _container(r).update(image="steadfleet/steadfleet:1"),
        "of another release",
    ),
    "a name for all releases": (
        lambda r: _worker(r)["metadata"].update(name="patch-campaign"),
        "does not end with its release",
    ),
    "a selector for others": (
        lambda r: _worker(r)["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "signer"}),
        "matches no pod of its own",
    ),
}


@pytest.mark.parametrize("form", ["cloud", "self-host", "plain"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_in_every_form(programs: Programs, form: str, mistake: str) -> None:
    _find(rendered(programs, form), *MISTAKES[mistake])


@pytest.mark.parametrize("mistake", VERSIONED)
def test_a_mistake_is_found_where_the_controller_runs_versions(programs: Programs, mistake: str) -> None:
    _find(rendered(programs, "cloud"), *VERSIONED[mistake])


@pytest.mark.parametrize("mistake", PLAIN)
def test_a_mistake_is_found_in_plain_releases(programs: Programs, mistake: str) -> None:
    _find(rendered(programs, "plain"), *PLAIN[mistake])


def _find(rendering: Rendering, mutate: Mutate, said: str) -> None:
    mutate(rendering)

    assert [problem for problem in problems(rendering) if said in problem]

"""A real API server takes every object, and what the Worker Controller would make; mistakes it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.api_server import ApiServer, names_of, pod_alone
from kubernetes.controller import made
from kubernetes.programs import Programs
from kubernetes.rendering import Rendering, container_of, pod_of, rendered

pytestmark = pytest.mark.kubernetes


def test_every_object_of_an_example_is_accepted(cluster: ApiServer, rendering: Rendering) -> None:
    tried = cluster.try_out(rendering.objects)

    assert (tried.returncode, tried.stderr) == (0, "")
    assert len(names_of(tried.stdout)) == len(rendering.objects)


@pytest.mark.parametrize("form", ["cloud", "self-host"])
def test_what_the_worker_controller_would_make_is_accepted(
    cluster: ApiServer, programs: Programs, form: str
) -> None:
    objects = made(rendered(programs, form))

    tried = cluster.try_out(objects)

    assert (tried.returncode, tried.stderr) == (0, "")
    assert sorted({found["kind"] for found in objects}) == [
        "Deployment",
        "PodDisruptionBudget",
        "ScaledObject",
    ]


def test_every_pod_may_run_in_a_restricted_namespace(cluster: ApiServer, rendering: Rendering) -> None:
    for running in rendering.running():
        tried = cluster.try_out([pod_alone(running)])

        assert (tried.returncode, tried.stderr) == (0, "")


def _spec(rendering: Rendering, kind: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = rendering.named(kind, name)["spec"]
    return spec


def _janitor(rendering: Rendering) -> dict[str, Any]:
    return _spec(rendering, "WorkerDeployment", "janitor")


def _witness(rendering: Rendering) -> dict[str, Any]:
    return rendering.named("StatefulSet", "witness")


Mutate = Callable[[Rendering], Any]

MISTAKES: dict[str, tuple[Mutate, str]] = {
    "a wrong type": (lambda r: _witness(r)["spec"].update(replicas="one"), "StatefulSet in version"),
    "a field that is not there": (
        lambda r: pod_of(_witness(r)).update(terminationGracePeriod=5),
        'unknown field "spec.template.spec.terminationGracePeriod"',
    ),
    "a selector that matches nothing": (
        lambda r: _witness(r)["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "signer"}),
        "`selector` does not match template `labels`",
    ),
    "a probe of a port that has no such name": (
        lambda r: container_of(_witness(r))["livenessProbe"]["httpGet"].update(port="Health!"),
        "livenessProbe.httpGet.port",
    ),
    "a probe of a port that is no port": (
        lambda r: container_of(_witness(r))["livenessProbe"]["httpGet"].update(port=80800),
        "must be between 1 and 65535",
    ),
    "a mount of nothing": (
        lambda r: pod_of(_witness(r))["volumes"].clear(),
        "volumeMounts[0].name: Not found",
    ),
    "a field that a version does not have": (
        lambda r: _janitor(r).update(selector={"matchLabels": {}}),
        'unknown field "spec.selector"',
    ),
    "a ramp to all": (
        lambda r: _janitor(r)["rollout"]["steps"][1].update(rampPercentage=100),
        "should be less than or equal to 99",
    ),
    "a pause that is none": (
        lambda r: _janitor(r)["rollout"]["steps"][0].update(pauseDuration="1s"),
        "pause duration must be at least 30s",
    ),
    "steps without steps": (lambda r: _janitor(r)["rollout"].pop("steps"), "steps are required"),
    "an address without a port": (
        lambda r: _spec(r, "Connection", "temporal").update(hostPort="temporal.example.com"),
        "spec.hostPort",
    ),
    "two credentials": (
        lambda r: _spec(r, "Connection", "temporal").update(mutualTLSSecretRef={"name": "temporal-client"}),
        "Only one of mutualTLSSecretRef or apiKeySecretRef may be set",
    ),
    "a secret in the wrong words": (
        lambda r: _spec(r, "TriggerAuthentication", "temporal").update(secretTargetRef=[{"name": "x"}]),
        "secretTargetRef[0].parameter",
    ),
    "an interval that is none": (
        lambda r: _spec(r, "PodMonitor", "steadfleet-workers")["podMetricsEndpoints"][0].update(
            interval="soon"
        ),
        "podMetricsEndpoints[0].interval",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused(cluster: ApiServer, programs: Programs, mistake: str) -> None:
    mutate, said = MISTAKES[mistake]
    rendering = rendered(programs, "cloud")
    mutate(rendering)

    _refused(cluster, rendering.objects, said)


MADE: dict[str, tuple[Mutate, str]] = {
    "a volume that the controller mounts too": (
        lambda r: pod_of(_worker(r))["volumes"].append({"name": "temporal-tls", "emptyDir": {}}),
        "Duplicate value",
    ),
    "a budget without a bound": (
        lambda r: _held(r, "janitor-disruption").update(maxUnavailable=1, minAvailable=1),
        "cannot be both set",
    ),
    "a floor in words": (
        lambda r: _held(r, "patch-campaign-scaling").update(minReplicaCount="two"),
        "minReplicaCount",
    ),
}


@pytest.mark.parametrize("mistake", MADE)
def test_a_mistake_shows_in_what_the_controller_would_make(
    cluster: ApiServer, programs: Programs, mistake: str
) -> None:
    mutate, said = MADE[mistake]
    rendering = rendered(programs, "self-host")
    mutate(rendering)

    _refused(cluster, made(rendering), said)


def test_a_pod_that_could_become_root_is_refused(cluster: ApiServer, programs: Programs) -> None:
    running = rendered(programs, "cloud").worker("signer")
    container_of(running)["securityContext"].pop("allowPrivilegeEscalation")

    _refused(cluster, [pod_alone(running)], "violates PodSecurity")


def _worker(rendering: Rendering) -> dict[str, Any]:
    return rendering.worker("janitor")


def _held(rendering: Rendering, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = _spec(rendering, "WorkerResourceTemplate", name)["template"]["spec"]
    return spec


def _refused(cluster: ApiServer, objects: list[dict[str, Any]], said: str) -> None:
    tried = cluster.try_out(objects)

    assert tried.returncode != 0
    assert said in tried.stderr

"""What must hold for an installation as a whole: each check returns what is wrong."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubernetes.pods import PRIVATE, SECRET, problems_of_pod
from kubernetes.rendering import (
    Object,
    Rendering,
    component_of,
    container_of,
    pod_of,
    service_of,
    templates_of,
)

from steadfleet_cli import engine
from steadfleet_cli.engine import Service

SERVICES = [service for service in vars(engine).values() if isinstance(service, Service)]
_FROM_THE_CONTROLLER = ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_DEPLOYMENT_NAME")
_UNREPLACED = ("from.the.settings", "from-the-settings")


def problems(rendering: Rendering) -> list[str]:
    """Return all that is wrong with an installation, in words; nothing, if it may be applied."""
    found = [problem for running in rendering.running() for problem in problems_of_pod(rendering, running)]
    for check in _CHECKS:
        found += check(rendering)
    return found


def _everybody_is_there(rendering: Rendering) -> Iterator[str]:
    programs = {container_of(running)["command"][0]: service_of(running) for running in rendering.workers()}
    for service in SERVICES:
        if programs.get(service.program) != service.task_queue:
            yield f"nobody runs {service.program} under the name of task queue {service.task_queue}"


def _settings_are_there(rendering: Rendering) -> Iterator[str]:
    text = rendering.text()
    for placeholder in _UNREPLACED:
        if placeholder in text:
            yield f"{placeholder}: a setting did not reach where it belongs"
    for said in rendering.of_kind("ConfigMap"):
        for key, value in said.get("data", {}).items():
            if SECRET.search(key) or PRIVATE.search(value):
                yield f"{said['metadata']['name']}: {key} in clear, expected a reference to a secret"
    if rendering.of_kind("Secret"):
        yield "a secret is written here: expected references alone"


def _names_are_there(rendering: Rendering) -> Iterator[str]:
    for running in rendering.running():
        name, pod = service_of(running), pod_of(running)
        wanted = {("ServiceAccount", pod["serviceAccountName"])}
        wanted |= {("ConfigMap", one["configMapRef"]["name"]) for one in container_of(running)["envFrom"]}
        wanted |= {("ConfigMap", one["configMap"]["name"]) for one in pod["volumes"] if "configMap" in one}
        for kind, missing in sorted(wanted - _known(rendering)):
            yield f"{name}: there is no {kind} {missing}"
        mounted = {one["name"] for one in container_of(running)["volumeMounts"]}
        claimed = {one["metadata"]["name"] for one in running["spec"].get("volumeClaimTemplates", [])}
        for volume in sorted(mounted - {one["name"] for one in pod["volumes"]} - claimed):
            yield f"{name}: there is no volume {volume}"


def _known(rendering: Rendering) -> set[tuple[str, str]]:
    return {(found["kind"], found["metadata"]["name"]) for found in rendering.objects}


def _roles_are_apart(rendering: Rendering) -> Iterator[str]:
    roles: dict[str, str] = {}
    for name in map(service_of, rendering.workers()):
        account = rendering.named("ServiceAccount", name)
        role = account["metadata"].get("annotations", {}).get("eks.amazonaws.com/role-arn", "")
        if not role.endswith(f"role/steadfleet-{name}"):
            yield f"{name}: its role is {role or 'not named'}"
        if role in roles:
            yield f"{name} and {roles[role]} have the same role"
        roles[role] = name
    signs = {
        service_of(running)
        for running in rendering.running()
        if any(one["configMapRef"]["name"].startswith("signer") for one in container_of(running)["envFrom"])
    }
    if signs != {"signer"}:
        yield f"what signs is told to {', '.join(sorted(signs)) or 'nobody'}, expected the signer alone"


def _network_is_closed(rendering: Rendering) -> Iterator[str]:
    policies = rendering.of_kind("NetworkPolicy")
    closed = [
        policy
        for policy in policies
        if policy["spec"]["podSelector"] == {}
        and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not policy["spec"].get("ingress")
        and not policy["spec"].get("egress")
    ]
    if not closed:
        yield "no NetworkPolicy denies what none allows"
    labels = [running["spec"]["template"]["metadata"]["labels"] for running in rendering.running()]
    for policy in policies:
        if not any(_selects(policy["spec"]["podSelector"], one) for one in labels):
            yield f"NetworkPolicy {policy['metadata']['name']} selects no pod"


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    held = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return held and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


def _disruption_is_bounded(rendering: Rendering) -> Iterator[str]:
    bounded = set(_bounded(rendering))
    for running in rendering.running():
        several = running["spec"].get("replicas", 2) > 1
        if several and service_of(running) not in bounded:
            yield f"{service_of(running)}: no budget bounds its disruption"
        if not several and service_of(running) in bounded:
            yield f"{service_of(running)}: a budget for a single pod forbids to drain its node"


def _bounded(rendering: Rendering) -> Iterator[str]:
    for holder, template in templates_of(rendering):
        if template["kind"] == "PodDisruptionBudget":
            yield holder["spec"]["workerDeploymentRef"]["name"]
    for budget in rendering.of_kind("PodDisruptionBudget"):
        for running in rendering.running():
            labels = running["spec"]["template"]["metadata"]["labels"]
            if _selects(budget["spec"]["selector"], labels):
                yield service_of(running)


def _versions_are_told(rendering: Rendering) -> Iterator[str]:
    for running in rendering.running():
        names = {said["name"] for said in container_of(running)["env"]}
        if running["kind"] == "WorkerDeployment" and names & set(_FROM_THE_CONTROLLER):
            yield f"{service_of(running)}: it sets what the controller adds"
        if running["kind"] == "Deployment" and component_of(running) == "worker":
            labels = running["spec"]["template"]["metadata"]["labels"]
            version = labels.get("app.kubernetes.io/version", "")
            if not {"TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"} <= names:
                yield f"{service_of(running)}: it has no version"
            if not running["metadata"]["name"].endswith(f"-{version}") or not version:
                yield f"{service_of(running)}: its name does not end with its release"
            if not container_of(running)["image"].endswith(f":{version}"):
                yield f"{service_of(running)}: its image is of another release than its label"
    for worker in rendering.of_kind("WorkerDeployment"):
        ramps = [step["rampPercentage"] for step in worker["spec"]["rollout"]["steps"]]
        if ramps != sorted(set(ramps)):
            yield f"{service_of(worker)}: its steps do not rise"


def _scaling_has_a_floor(rendering: Rendering) -> Iterator[str]:
    queues = {service.task_queue for service in SERVICES}
    for holder, template in templates_of(rendering):
        if template["kind"] != "ScaledObject":
            continue
        name, spec = holder["spec"]["workerDeploymentRef"]["name"], template["spec"]
        if spec.get("minReplicaCount", 0) < 1:
            yield f"{name}: it may be scaled to nothing"
        yield from _trigger(name, spec["triggers"], queues)
        worker = rendering.named("WorkerDeployment", name)["spec"]
        if "replicas" in worker:
            yield f"{name}: controller and KEDA would both scale it"
        if worker["sunset"]["deleteDelay"] != "0s":
            yield f"{name}: KEDA would bring back a drained version until it is deleted"


def _trigger(name: str, triggers: list[Any], queues: set[str]) -> Iterator[str]:
    for trigger in triggers:
        if trigger["metadata"]["taskQueue"] not in queues or trigger["metadata"]["taskQueue"] != name:
            yield f"{name}: it is scaled by task queue {trigger['metadata']['taskQueue']}"


_CHECKS: tuple[Callable[[Rendering], Iterator[str]], ...] = (
    _everybody_is_there,
    _settings_are_there,
    _names_are_there,
    _roles_are_apart,
    _network_is_closed,
    _disruption_is_bounded,
    _versions_are_told,
    _scaling_has_a_floor,
)

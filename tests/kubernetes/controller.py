"""What the Temporal Worker Controller 1.8.1 makes of its kinds, after its `internal/k8s`: to be checked too.

Its own words, not its code: what it adds to a pod, and what it fills in where a template says `{}` or "".
"""

from collections.abc import Iterator
from copy import deepcopy

from kubernetes.rendering import Object, Rendering, templates_of

BUILD = "2026-11-21-0a1b2c3d"
_TLS = "/etc/temporal/tls"


def made(rendering: Rendering) -> list[Object]:
    """Return the Deployment of one version of each worker, and what is made beside it."""
    return [*_deployments(rendering), *_beside(rendering)]


def _labels(name: str) -> dict[str, str]:
    return {"temporal.io/deployment-name": name, "temporal.io/build-id": BUILD}


def _deployments(rendering: Rendering) -> Iterator[Object]:
    for worker in rendering.of_kind("WorkerDeployment"):
        name, namespace = worker["metadata"]["name"], worker["metadata"]["namespace"]
        options = worker["spec"]["workerOptions"]
        connection = rendering.named("Connection", options["connectionRef"]["name"])["spec"]
        template = deepcopy(worker["spec"]["template"])
        template["metadata"]["labels"] |= _labels(name)
        _connect(template["spec"], connection)
        template["spec"]["containers"][0]["env"] += [
            {"name": "TEMPORAL_ADDRESS", "value": connection["hostPort"]},
            {"name": "TEMPORAL_NAMESPACE", "value": options["temporalNamespace"]},
            {"name": "TEMPORAL_DEPLOYMENT_NAME", "value": f"{namespace}/{name}"},
            {"name": "TEMPORAL_WORKER_BUILD_ID", "value": BUILD},
        ]
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": f"{name}-{BUILD}",
                "namespace": namespace,
                "labels": worker["metadata"]["labels"] | _labels(name),
            },
            "spec": {
                "replicas": worker["spec"].get("replicas"),
                "selector": {"matchLabels": _labels(name)},
                "template": template,
            },
        }


def _connect(pod: Object, connection: Object) -> None:
    container = pod["containers"][0]
    if server_name := connection.get("tls", {}).get("serverName"):
        container["env"].append({"name": "TEMPORAL_TLS_SERVER_NAME", "value": server_name})
    if certificate := connection.get("mutualTLSSecretRef"):
        container["env"] += [
            {"name": "TEMPORAL_TLS", "value": "true"},
            {"name": "TEMPORAL_TLS_CLIENT_KEY_PATH", "value": f"{_TLS}/tls.key"},
            {"name": "TEMPORAL_TLS_CLIENT_CERT_PATH", "value": f"{_TLS}/tls.crt"},
        ]
        container["volumeMounts"].append({"name": "temporal-tls", "mountPath": _TLS})
        pod["volumes"].append({"name": "temporal-tls", "secret": {"secretName": certificate["name"]}})
    elif key := connection.get("apiKeySecretRef"):
        container["env"].append({"name": "TEMPORAL_API_KEY", "valueFrom": {"secretKeyRef": key}})


def _beside(rendering: Rendering) -> Iterator[Object]:
    for holder, template in templates_of(rendering):
        name = holder["spec"]["workerDeploymentRef"]["name"]
        worker = rendering.named("WorkerDeployment", name)
        namespace = worker["metadata"]["namespace"]
        filled = deepcopy(template)
        spec = filled["spec"]
        filled["metadata"] = {"name": f"{holder['metadata']['name']}-0a1b2c3d", "namespace": namespace}
        if spec.get("selector", {}).get("matchLabels") == {}:
            spec["selector"]["matchLabels"] = _labels(name)
        if spec.get("scaleTargetRef") == {}:
            target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-{BUILD}"}
            spec["scaleTargetRef"] = target
        for trigger in spec.get("triggers", []):
            _fill(trigger["metadata"], f"{namespace}/{name}", worker["spec"]["workerOptions"])
        yield filled


def _fill(metadata: dict[str, str], deployment: str, options: Object) -> None:
    for key, value in {
        "workerDeploymentName": deployment,
        "workerDeploymentBuildId": BUILD,
        "namespace": options["temporalNamespace"],
    }.items():
        if metadata.get(key) == "":
            metadata[key] = value

"""What must hold for every worker's pod: each check returns what is wrong with one."""

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from kubernetes.programs import ROOT
from kubernetes.rendering import (
    Object,
    Rendering,
    component_of,
    container_of,
    env_of,
    pod_of,
    service_of,
    written_env,
)

from steadfleet_activities.fleet.clients import ATTEMPTS, client_config
from steadfleet_activities.image.build import GRACE as PACKER_GRACE
from steadfleet_durable.settings import read_time, split_address

_MARGIN = timedelta(seconds=15)
_READINESS_ASKS_FOR = timedelta(seconds=3)
_PROBED = {
    "worker": ("STEADFLEET_HEALTH_ADDRESS", ("/healthz", "/readyz")),
    "web": ("STEADFLEET_CODEC_ADDRESS", ("/healthz", "/healthz")),
}
SECRET = re.compile(r"API_KEY$|TOKEN$|PASSWORD|SECRET|_DATA$|_ACCESS_KEY")
PRIVATE = re.compile(r"PRIVATE KEY-----|\beyJ[\w-]{20,}\.")


def programs_of_services() -> set[str]:
    """Return the commands that our packages install."""
    found: set[str] = set()
    for file in (ROOT / "services").glob("*/pyproject.toml"):
        found |= set(tomllib.loads(file.read_text())["project"].get("scripts", {}))
    return found


def longest_step(service: str) -> timedelta:
    """Return how long a worker may go on with what cannot be interrupted, when its time is up.

    A call to AWS with all of its attempts, up to 1, 2, 4, … s apart; where packer runs, its own clean-up.
    """
    config: Any = client_config(1, at_endpoint=False)
    attempt = config.connect_timeout + config.read_timeout
    call = timedelta(seconds=attempt * ATTEMPTS + sum(2**n for n in range(ATTEMPTS - 1)))
    return max(call, PACKER_GRACE) if service == "image-build" else call


def problems_of_pod(rendering: Rendering, running: Object) -> Iterator[str]:
    name = service_of(running)
    for check in (_probes, _resources, _confinement, _image, _program, _account):
        for problem in check(running):
            yield f"{name}: {problem}"
    for problem in (*_leaving(rendering, running), *_secrets(running), *_selector(running)):
        yield f"{name}: {problem}"


def _probes(running: Object) -> Iterator[str]:
    container = container_of(running)
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    address, paths = _PROBED[component_of(running)]
    for probe, path in zip(("livenessProbe", "readinessProbe"), paths, strict=True):
        asked = container.get(probe, {}).get("httpGet", {})
        if asked.get("path") != path:
            yield f"{probe} asks for {asked.get('path')}, expected {path}"
        elif ports.get(asked["port"]) != split_address(written_env(running)[address])[1]:
            yield f"{probe} asks port {asked['port']}, where nobody answers"
    if container.get("readinessProbe", {}).get("timeoutSeconds", 1) <= _READINESS_ASKS_FOR.seconds:
        yield "readinessProbe gives up before the engine's answer is waited for"


def _resources(running: Object) -> Iterator[str]:
    said = container_of(running).get("resources", {})
    for kind, what in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if what not in said.get(kind, {}):
            yield f"no {what} under resources.{kind}"
    unbounded = [volume["name"] for volume in pod_of(running)["volumes"] if volume.get("emptyDir") == {}]
    if unbounded:
        yield f"emptyDir without a limit: {', '.join(unbounded)}"


def _confinement(running: Object) -> Iterator[str]:
    pod, container = pod_of(running), container_of(running).get("securityContext", {})
    whole = pod.get("securityContext", {})
    expected = {
        "runAsNonRoot": whole.get("runAsNonRoot") is True and whole.get("runAsUser", 0) > 0,
        "seccompProfile": whole.get("seccompProfile", {}).get("type") == "RuntimeDefault",
        "readOnlyRootFilesystem": container.get("readOnlyRootFilesystem") is True,
        "allowPrivilegeEscalation": container.get("allowPrivilegeEscalation") is False,
        "capabilities": container.get("capabilities", {}).get("drop") == ["ALL"],
        "automountServiceAccountToken": pod.get("automountServiceAccountToken") is False,
    }
    for name, held in expected.items():
        if not held:
            yield f"{name} is not as a confined pod has it"


def _image(running: Object) -> Iterator[str]:
    image = container_of(running)["image"]
    _, _, tag = image.rpartition("/")[2].partition(":")
    if tag in {"", "latest"}:
        yield f"image {image} names no release"


def _program(running: Object) -> Iterator[str]:
    command = container_of(running).get("command", [])
    if len(command) != 1 or command[0] not in programs_of_services():
        yield f"{command} is no command of ours: expected one of services/*/pyproject.toml"


def _account(running: Object) -> Iterator[str]:
    if pod_of(running).get("serviceAccountName") != service_of(running):
        yield "it has no service account of its own"


def _leaving(rendering: Rendering, running: Object) -> Iterator[str]:
    if component_of(running) != "worker":
        return
    env = env_of(rendering, running)
    grace = timedelta(seconds=pod_of(running).get("terminationGracePeriodSeconds", 30))
    needed = read_time(env, "STEADFLEET_GRACEFUL_SHUTDOWN_TIME", "30s") + longest_step(service_of(running))
    if grace < needed + _MARGIN:
        yield f"it is killed after {grace}, and may need {needed} to leave"
    if grace <= read_time(env, "STEADFLEET_HEARTBEAT_TIMEOUT", "30s"):
        yield f"it is killed after {grace}, within the heartbeat timeout"


def _secrets(running: Object) -> Iterator[str]:
    for name, value in written_env(running).items():
        if SECRET.search(name):
            yield f"{name} is written in clear: expected a reference to a secret"
        if PRIVATE.search(value):
            yield f"{name} holds what looks like a key or a token"


def _selector(running: Object) -> Iterator[str]:
    selected = running["spec"].get("selector", {}).get("matchLabels", {})
    labels = running["spec"]["template"]["metadata"]["labels"]
    if selected.items() - labels.items():
        yield "its selector matches no pod of its own"

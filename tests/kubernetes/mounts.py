"""What a pod would find in its volumes, in a folder of this machine; its environment names it there."""

from collections.abc import Mapping
from pathlib import Path

from integration.durable.tls_front import Authority
from kubernetes.rendering import Object, Rendering, container_of, env_of, pod_of

from steadfleet_codec_server import keys


class Secrets:
    """The contents of the secrets that the manifests refer to, by name and entry."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        certificate, key = authority.issue("worker")
        pair = {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}
        payload_keys = folder / "payload-keys"
        keys.add("2026-11", payload_keys)
        self.entries: Mapping[str, Mapping[str, bytes]] = {
            "temporal-client": {**pair, "ca.crt": authority.path.read_bytes()},
            "codec-server-tls": pair,
            "payload-keys": {"keys": payload_keys.read_bytes()},
        }


def environment(rendering: Rendering, running: Object, secrets: Secrets, folder: Path) -> dict[str, str]:
    """Return the variables that the service would read, with its files under the folder."""
    for mount in container_of(running)["volumeMounts"]:
        place = folder / mount["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for name, content in _contents(rendering, running, mount["name"], secrets).items():
            (place / name).write_bytes(content)
    env = env_of(rendering, running)
    return {name: f"{folder}{value}" if value.startswith("/") else value for name, value in env.items()}


def _contents(rendering: Rendering, running: Object, name: str, secrets: Secrets) -> Mapping[str, bytes]:
    for volume in pod_of(running)["volumes"]:
        if volume["name"] == name and "secret" in volume:
            return secrets.entries[volume["secret"]["secretName"]]
        if volume["name"] == name and "configMap" in volume:
            data = rendering.named("ConfigMap", volume["configMap"]["name"])["data"]
            return {entry: text.encode() for entry, text in data.items()}
    return {}

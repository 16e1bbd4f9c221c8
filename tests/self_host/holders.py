"""What a client in a role is told, whichever way the engine was brought up."""

from pathlib import Path
from typing import Protocol

NAMESPACE = "steadfleet"


class Engine(Protocol):
    def variables(self, role: str) -> dict[str, str]:
        """Return what a client in this role is told."""


def variables_of(secrets: Path, port: int, role: str) -> dict[str, str]:
    """Return what a client in this role is told; its certificate, token and keys stay in their files."""
    holder = secrets / role
    return {
        "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "TEMPORAL_TLS": "true",
        "TEMPORAL_TLS_SERVER_NAME": "temporal",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(holder / "ca.crt"),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(holder / "tls.crt"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(holder / "tls.key"),
        "STEADFLEET_API_KEY_FILE": str(holder / "token"),
        "STEADFLEET_PAYLOAD_KEYS": "" if role == "viewer" else str(secrets / "payload-keys"),
    }

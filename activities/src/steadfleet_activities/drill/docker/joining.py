"""The drivers for drills in a Docker engine, where the worker has one."""

import shutil
import subprocess
from collections.abc import Mapping

from python_on_whales import DockerClient

from steadfleet_activities.drill.docker.networks import ContainerNetworks
from steadfleet_activities.drill.docker.services import ContainerServices
from steadfleet_activities.drill.drivers import NetworkDriver, ServiceDriver
from steadfleet_activities.fleet.trust import Verifier

TYPE = "containers"
_ANSWER_TIME = 10


def container_drivers(
    env: Mapping[str, str], verifier: Verifier | None = None
) -> tuple[dict[str, ServiceDriver], dict[str, NetworkDriver]]:
    """Return them by the type that they serve; none where no engine answers, and then drills refuse it.

    The engine is the one of DOCKER_HOST, or this host's. Blocks.
    """
    engine = _answering(env)
    if engine is None:
        return {}, {}
    return {TYPE: ContainerServices(engine, verifier)}, {TYPE: ContainerNetworks(engine)}


def _answering(env: Mapping[str, str]) -> DockerClient | None:
    if shutil.which("docker", path=env.get("PATH")) is None:
        return None
    engine = DockerClient(host=env.get("DOCKER_HOST") or None)
    try:
        asked = [*map(str, engine.docker_cmd), "version", "--format", "{{.Server.Version}}"]
        done = subprocess.run(  # noqa: S603 - the worker's own docker
            asked, capture_output=True, timeout=_ANSWER_TIME, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return engine if done.returncode == 0 else None

"""The containers of one service: made once each, by names of the run's own. All of it blocks."""

from collections.abc import Mapping
from dataclasses import dataclass

from python_on_whales import Container, DockerClient
from python_on_whales.exceptions import DockerException, NoSuchContainer
from temporalio.exceptions import ApplicationError

from steadfleet_activities.drill.aws.names import named, tags_of
from steadfleet_activities.drill.docker.networks import said_by
from steadfleet_activities.fleet import tags
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import ContainerService
from steadfleet_core.errors import RefusedError

# A rehearsal must not take from whatever else the host does: memory and processes have an end, and a
# container yields the processor to those that have the usual 1024 shares.
_MEMORY = "2g"
_PROCESSES = 1024
_SHARES = 512
_NO_RESOLVER = "127.0.0.1"
_COMMAND_TROUBLE = ("OCI runtime", "No command specified")


@dataclass(frozen=True)
class Containers:
    """`addresses` are those of the service, one a container."""

    engine: DockerClient
    drill: Drill
    service: ContainerService
    addresses: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return [
            named(self.drill.run, f"{self.service.name}-{number}")
            for number in range(1, self.service.count + 1)
        ]

    def found(self, name: str) -> Container | None:
        try:
            return self.engine.container.inspect(name)
        except NoSuchContainer:
            return None

    def ensure(self, number: int, network: str, environment: Mapping[str, str]) -> None:
        """Make it if it is not there, and start it if it does not run."""
        name = self.names[number]
        container = self.found(name)
        if container is None:
            try:
                container = self._create(name, self.addresses[number], network, environment)
            except DockerException as error:
                container = self.found(name)  # another attempt may have made it
                if container is None:
                    raise _told(error, self.service, name) from error
        self._refuse_other(container, number, network, environment)
        if not container.state.running:
            try:
                container.start()
            except DockerException as error:
                raise _told(error, self.service, name) from error

    def ended(self) -> list[str]:
        """Say of every container that does not run how it ended."""
        found = [(name, self.found(name)) for name in self.names]
        return [_ending(name, one) for name, one in found if one is None or not one.state.running]

    def _create(self, name: str, address: str, network: str, environment: Mapping[str, str]) -> Container:
        return self.engine.container.create(
            self.drill.service(self.service.name).image,
            name=name,
            networks=[network],
            network_aliases=[self.service.name],
            ip=address,
            # An engine may ask the host's own resolver on a container's behalf: a way out, closed here.
            dns=[_NO_RESOLVER],
            envs=dict(environment),
            labels=tags_of(self.drill),
            init=True,
            pull="never",
            restart="no",
            memory=_MEMORY,
            memory_swap=_MEMORY,
            pids_limit=_PROCESSES,
            cpu_shares=_SHARES,
        )

    def _refuse_other(
        self, container: Container, number: int, network: str, environment: Mapping[str, str]
    ) -> None:
        config, at = container.config, (container.network_settings.networks or {}).get(network)
        wanted = {f"{key}={value}" for key, value in environment.items()}
        ours = (config.labels or {}).get(tags.RUN) == self.drill.run
        address = at.ipam_config.ipv4_address if at and at.ipam_config else None
        if not (ours and address == self.addresses[number] and wanted <= set(config.env or ())):
            raise RefusedError(
                f"the container {container.name} is there already, and is not {self.drill.run}'s, or has "
                "another address or environment: sweep what left it, and start the drill again"
            )


def _told(error: DockerException, service: ContainerService, name: str) -> Exception:
    """Say at once what no retry mends: a command that the image has not."""
    said = said_by(error)
    if not any(words in said for words in _COMMAND_TROUBLE):
        return error
    return not_started(f"{name} of {service.name} does not start: {said}")


def not_started(what: str) -> ApplicationError:
    return ApplicationError(
        f"{what}; look at it in the engine, and then retry the step or abort",
        type="NotStarted",
        non_retryable=True,
    )


def _ending(name: str, container: Container | None) -> str:
    if container is None:
        return f"{name} is gone"
    said = container.state.error or f"exit status {container.state.exit_code}"
    output = str(container.logs(tail=10)).strip()
    return f"{name} ended ({said}): {output or 'it wrote nothing'}"

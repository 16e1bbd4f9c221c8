"""Fresh machines that are containers, from an image that the engine has."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from python_on_whales import Container, DockerClient
from python_on_whales.exceptions import DockerException, NoSuchContainer

from steadfleet_activities.fleet.waiting import looked
from steadfleet_activities.image import tags
from steadfleet_activities.image.examining.machine import (
    EXAMINE,
    MOST_OUTPUT,
    PURPOSE,
    FreshMachines,
    Machine,
    NotBootedError,
    Ran,
    TestHost,
    UnreachableError,
    name_of,
)
from steadfleet_activities.image.examining.processes import run_process
from steadfleet_activities.image.examining.teardown import always
from steadfleet_activities.image.platforms import Say
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Build
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageExamination

_SHELL = "/bin/sh"
# An exec is the leader of a session of its own: its pid finds all that it starts.
_TELL_PID = f'echo $$; exec {_SHELL} -c "$1"'
_KILL_TIME = timedelta(seconds=10)
_SETTLING_TIME = timedelta(seconds=1)
_ENGINE_SETTINGS = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT")


class Containers(FreshMachines):
    """Containers of the run's own name, which no second try can double."""

    def __init__(self, docker: DockerClient | None = None) -> None:
        self._docker = docker or DockerClient()

    @asynccontextmanager
    async def booted(self, examination: ImageExamination, say: Say) -> AsyncIterator[Machine]:
        build, image = examination.build, examination.image.id
        say("removing what an earlier try left")
        await unbroken(self._remove, build)
        async with (
            self._at_hand(image, say),
            always(lambda: unbroken(self._remove, build), f"the container of {build.run}"),
        ):
            say(f"starting a container from {image}")
            container = await unbroken(self._start, examination)
            # What ends at once may still be running at the first look.
            if not await looked(lambda running: not running, _SETTLING_TIME, _runs, container):
                raise NotBootedError(await unbroken(_ending, container))
            yield ContainerMachine(self._docker, container.name, _address(container), examination.spec.user)
            say("removing the container")

    async def discard(self, examination: ImageExamination, say: Say) -> None:
        say("removing the container")
        await unbroken(self._remove, examination.build)

    @asynccontextmanager
    async def _at_hand(self, image: str, say: Say) -> AsyncIterator[None]:
        """Pull what a registry has, named by its digest, and forget it again if the engine had it not."""
        if "@" not in image or await unbroken(self._docker.image.exists, image):
            yield
            return
        say(f"pulling {image}")
        await unbroken(self._pull, image)
        async with always(lambda: unbroken(self._forget, image), f"the image {image}"):
            yield

    def _pull(self, image: str) -> None:
        self._docker.image.pull(image, quiet=True)

    def _forget(self, image: str) -> None:
        # Not by force: somebody may have begun to use it.
        with suppress(DockerException):
            self._docker.image.remove(image)

    def _start(self, examination: ImageExamination) -> Container:
        build, image = examination.build, examination.image.id
        labels = {**tags.temporary(build), PURPOSE: EXAMINE}
        try:
            # A terminal keeps an image alive whose command is a shell, as base images' is.
            started = self._docker.container.run(
                image,
                detach=True,
                pull="never",
                init=True,
                interactive=True,
                tty=True,
                labels=labels,
                name=name_of(build.run),
            )
        except DockerException as error:
            if "no such image" in _said(error).lower():
                raise RefusedError(
                    f"the engine has no image {image}: expected the one that was built"
                ) from error
            if not _refused_to_start(error):
                raise
            raise NotBootedError(f"no container could be started from {image}: {_said(error)}") from error
        if not isinstance(started, Container):  # what it is only without `detach`
            raise TypeError(f"expected a container, got {type(started).__name__}")
        return started

    def _remove(self, build: Build) -> None:
        ours = {tags.RUN: build.run, PURPOSE: EXAMINE}
        for container in self._docker.container.list(
            all=True, filters=[("label", f"{key}={value}") for key, value in ours.items()]
        ):
            try:
                container.remove(force=True, volumes=True)
            except NoSuchContainer:
                continue


@dataclass
class ContainerMachine(Machine):
    """A running container; commands run by the engine's exec."""

    docker: DockerClient
    id: str
    address: str
    user: str

    async def run(self, script: str, limit: timedelta, most: int = MOST_OUTPUT) -> Ran:
        told = await run_process(self._exec(_TELL_PID, script), limit, most=most)
        pid = told.stdout.drop_line()
        if pid is not None and pid.strip().isdigit():
            if told.exit_status is None:
                await self._kill(int(pid))
            return told
        if told.exit_status is None:
            return told
        said = (str(told.stderr) or str(told.stdout)).strip()
        raise UnreachableError(f"{self.id} could not be asked by {_SHELL} as {self.user}: {said}")

    def test_host(self, folder: Path) -> TestHost:  # noqa: ARG002 - nothing is needed
        settings = {name: os.environ[name] for name in _ENGINE_SETTINGS if name in os.environ}
        return TestHost((f"--hosts=docker://{self.user}@{self.id}",), settings)

    def _exec(self, script: str, *arguments: str) -> list[str]:
        command = [*self.docker.docker_cmd, "container", "exec", "--user", self.user, self.id]
        return [*map(str, command), _SHELL, "-c", script, "sh", *arguments]

    async def _kill(self, pid: int) -> None:
        await run_process(self._exec(f"kill -9 -{pid}"), _KILL_TIME)


def _runs(container: Container) -> bool:
    container.reload()  # type: ignore[no-untyped-call]
    return bool(container.state.running)


def _ending(container: Container) -> str:
    said = container.state.error or f"exit status {container.state.exit_code}"
    output = str(container.logs(tail=20)).strip()
    return f"the container ended at once ({said}): {output or 'it wrote nothing'}"


def _address(container: Container) -> str:
    networks = container.network_settings.networks or {}
    return next(filter(None, (network.ip_address for network in networks.values())), "")


def _refused_to_start(error: DockerException) -> bool:
    # 125 is the engine's own failure, unless it speaks of the image's command.
    return error.return_code in {126, 127} or "No command specified" in _said(error)


def _said(error: DockerException) -> str:
    return (error.stderr or str(error)).strip()

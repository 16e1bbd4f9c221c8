"""Machines that are containers: a whole system each, on a Docker network, with an SSH server."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from python_on_whales.exceptions import DockerException

from steadfleet_local_cloud.docker_images import MACHINE_FOLDER, DockerImages
from steadfleet_local_cloud.docker_programs import ProgramWatch
from steadfleet_local_cloud.docker_scripts import (
    BOOT,
    COMMAND,
    MAIN,
    PROGRAM,
    PUT_ASIDE,
    PUT_BACK,
    USER_DATA,
    USER_DATA_FILE,
)
from steadfleet_local_cloud.engine import Engine, sentence
from steadfleet_local_cloud.errors import MachineError
from steadfleet_local_cloud.machines import Job, Listener, Machine, Order, Output, Power
from steadfleet_local_cloud.ownership import Ownership
from steadfleet_local_cloud.powered_machines import PoweredMachines, identity

_BOOTS_AT_ONCE = 8
_STOP_SECONDS = 3
_SCRIPT_TIME = timedelta(seconds=60)
_GRACE = timedelta(seconds=10)  # for the engine, beyond a command's own time limit
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# when somebody else has stopped, frozen or removed the container, as a test of chaos does
_ALREADY = ("No such container", "is not running", "is already paused", "is not paused")
_CONSOLE_LIMITS = ("max-size=10m", "max-file=1")


@dataclass(eq=False)
class DockerMachine(Machine):
    """A container, once it was switched on for the first time."""

    made: bool = False
    program_runs: bool = False

    @property
    def alive(self) -> bool:
        return self.program_runs

    @property
    def name(self) -> str:
        return self.order.instance_id


class DockerMachines(PoweredMachines[DockerMachine]):
    """A container for each instance, named after it; `docker logs INSTANCE` is its console."""

    def __init__(
        self,
        engine: Engine,
        ownership: Ownership,
        images: DockerImages,
        networks: Callable[[str], str],
        listener: Listener,
    ) -> None:
        """Take from `networks` the name of the Docker network that an address belongs to."""
        super().__init__(listener)
        self._engine = engine
        self._ownership = ownership
        self._images = images
        self._networks = networks
        self._boots = ThreadPoolExecutor(_BOOTS_AT_ONCE, "boot")
        self._programs = ProgramWatch(engine, ownership, self._exited)

    def freeze(self, instance_id: str, image_id: str) -> bool:
        machine = self._machine(instance_id)
        with machine.turning, self._awake(machine):
            self._script(machine, PUT_ASIDE, stdin=machine.order.public_key)
            try:
                self._images.commit(image_id, machine.name)
            finally:
                self._script(machine, PUT_BACK)
        return True

    def _make(self, order: Order) -> DockerMachine:
        return DockerMachine(order)

    def _wake_now(self, machine: DockerMachine, event: str) -> None:
        # a launch answers before its machines are up, as on AWS, and they boot side by side
        self._boots.submit(self._wake_unheard, machine, machine.boot_id, event)

    def _switch_on(self, machine: DockerMachine) -> None:
        self._start(machine)
        if data := machine.order.user_data:
            self._script(machine, USER_DATA, stdin=base64.b64encode(data).decode())
        told = self._script(machine, BOOT, stdin=machine.order.public_key)
        if told.strip() != "program":
            return
        with self._lock:
            machine.program_runs = True
        self._exec(
            machine,
            PROGRAM,
            f"program {machine.boot_id}",
            options=["--detach", f"--workdir={MACHINE_FOLDER}"],
        )

    def _switch_off(self, machine: DockerMachine) -> None:
        with self._lock:
            machine.program_runs = False
        if not machine.made:
            return
        if machine.hung:  # nobody in it could hear that it shall stop
            self._docker("unpause", machine.name, unless=_ALREADY)
            self._docker("kill", machine.name, unless=_ALREADY)
        else:
            self._docker("stop", f"--time={_STOP_SECONDS}", machine.name, unless=_ALREADY)

    def _hold(self, machine: DockerMachine, *, hung: bool) -> None:
        if machine.made and machine.power is Power.RUNNING:
            self._docker("pause" if hung else "unpause", machine.name, unless=_ALREADY)

    def _remove(self, machine: DockerMachine) -> None:
        self._docker("rm", "--force", "--volumes", machine.name)

    def _run_script(self, machine: DockerMachine, job: Job) -> Output:
        seconds = job.time_limit.total_seconds()
        done = self._engine.call(
            *self._exec_arguments(machine, ["--interactive"]),
            *("/bin/sh", "-c", COMMAND, "command", str(seconds)),
            stdin=job.script,
            time_limit=job.time_limit + _GRACE,
        )
        if machine.gone:
            raise MachineError(f"{machine.name} was terminated")
        status, _, stdout = done.stdout.partition("\n")
        if status.isdigit():
            return Output(int(status), stdout, done.stderr)
        # without a status it ran out of time, or its machine was switched off under it
        ended = done.exit_code if status != "none" else None
        return Output(ended, stdout, done.stderr)

    def _end_all(self) -> None:
        self._boots.shutdown(cancel_futures=True)
        self._programs.close()

    def _exited(self, boot_id: str, status: int) -> None:
        with self._lock:
            machine = next((one for one in self._machines.values() if one.boot_id == boot_id), None)
            if machine is None or not machine.program_runs:
                return
            machine.program_runs = False
        self._listener("exited", machine, {"status": status})

    def _start(self, machine: DockerMachine) -> None:
        if machine.made:
            self._docker("start", machine.name)
            return
        order = machine.order
        machine.made = True  # even if it fails: there may be something to remove
        try:
            self._engine.docker.run(
                self._images.reference(order.image_id),
                ["-c", MAIN],
                entrypoint="/bin/sh",
                name=machine.name,
                hostname=f"ip-{order.address.replace('.', '-')}",
                networks=[self._networks(order.address)],
                ip=order.address,
                labels=self._ownership.labels,
                tmpfs=["/run:exec,mode=755"],
                log_driver="json-file",
                log_options=_CONSOLE_LIMITS,
                pull="never",
                init=True,
                detach=True,
            )
        except DockerException as error:
            raise MachineError(f"{machine.name} could not be started: {sentence(error)}") from error

    @contextmanager
    def _awake(self, machine: DockerMachine) -> Iterator[None]:
        """Have the machine's system up, though nothing on it need run, and then again as it was."""
        if machine.power is Power.RUNNING:
            if machine.hung:
                self._docker("unpause", machine.name)
            yield
            if machine.hung:
                self._docker("pause", machine.name)
            return
        self._start(machine)
        try:
            yield
        finally:
            self._docker("stop", "--time=0", machine.name)

    def _script(self, machine: DockerMachine, script: str, *, stdin: str = "") -> str:
        return self._exec(machine, script, "script", options=["--interactive"], stdin=stdin)

    def _exec(
        self, machine: DockerMachine, script: str, name: str, *, options: list[str], stdin: str = ""
    ) -> str:
        done = self._engine.call(
            *self._exec_arguments(machine, options),
            *("/bin/sh", "-c", script, name),
            stdin=stdin,
            time_limit=_SCRIPT_TIME,
        )
        if done.exit_code != 0:
            raise MachineError(f"{machine.name}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _exec_arguments(self, machine: DockerMachine, options: list[str]) -> list[str]:
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"} | identity(
            machine, USER_DATA_FILE
        )
        settings = [f"--env={name}={value}" for name, value in environment.items()]
        return ["exec", *options, *settings, machine.name]

    def _docker(self, *arguments: str, unless: tuple[str, ...] = ()) -> None:
        """Call the client; what it complains of may say that there is nothing to do."""
        done = self._engine.call(*arguments)
        if done.exit_code != 0 and not any(reason in done.stderr for reason in unless):
            raise MachineError(f"docker {arguments[0]} {arguments[-1]}: {done.stderr.strip()}")

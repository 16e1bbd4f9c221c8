"""Machines that are child processes, each on its own loopback address and in its own folder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from steadfleet_local_cloud.images import Images
from steadfleet_local_cloud.machines import Job, Listener, Machine, Order, Output, Power
from steadfleet_local_cloud.powered_machines import PoweredMachines, identity
from steadfleet_local_cloud.supervision import Supervision

_SHUTDOWN_TIME = timedelta(seconds=1)


class ProcessMachines(PoweredMachines[Machine]):
    """The image's own program as a child process that listens on the instance's private address."""

    def __init__(self, folder: Path, images: Images, listener: Listener) -> None:
        super().__init__(listener)
        self._folder = folder
        self._images = images
        self._by_pid: dict[int, Machine] = {}
        self._supervision = Supervision(self._exited)
        shutil.rmtree(folder, ignore_errors=True)  # an earlier cloud's; its machines died with it
        folder.mkdir(parents=True)

    def freeze(self, instance_id: str, image_id: str) -> bool:
        self._images.add(image_id, self._content(self._machine(instance_id)))
        return True

    def _make(self, order: Order) -> Machine:
        machine = Machine(order)
        shutil.copytree(self._images.content(order.image_id), self._content(machine), symlinks=True)
        if order.user_data:
            self._user_data(machine).touch(mode=0o600)
            self._user_data(machine).write_bytes(order.user_data)
        return machine

    def _switch_on(self, machine: Machine) -> None:
        content = self._content(machine)
        console = content.with_name("console.log")
        with self._lock:  # or its exit could be heard before it is known
            machine.pid = self._supervision.spawn(
                machine.order.instance_id,
                _program(content),
                content,
                self._environment(machine),
                stdout=console,
                stderr=console,
            )
            self._by_pid[machine.pid] = machine

    def _switch_off(self, machine: Machine) -> None:
        instance_id = machine.order.instance_id
        with self._lock:
            pid = machine.pid
        if pid is not None and not machine.hung:
            self._supervision.signal(instance_id, signal.SIGTERM)
            self._supervision.wait(pid, _SHUTDOWN_TIME)
        self._supervision.end(instance_id)
        with self._lock:
            self._by_pid.pop(pid or 0, None)
            machine.pid = None

    def _hold(self, machine: Machine, *, hung: bool) -> None:
        self._supervision.signal(machine.order.instance_id, signal.SIGSTOP if hung else signal.SIGCONT)

    def _remove(self, machine: Machine) -> None:
        shutil.rmtree(self._content(machine), ignore_errors=True)
        self._user_data(machine).unlink(missing_ok=True)

    def _end_all(self) -> None:
        self._supervision.close()

    def _content(self, machine: Machine) -> Path:
        return self._folder / machine.order.instance_id / "content"

    def _user_data(self, machine: Machine) -> Path:
        return self._content(machine).with_name("user-data")

    def _environment(self, machine: Machine) -> dict[str, str]:
        return _environment() | identity(machine, str(self._user_data(machine)))

    def _exited(self, pid: int, status: int) -> None:
        with self._lock:
            machine = self._by_pid.pop(pid, None)
            if machine is None:
                return
            machine.pid = None
            expected = machine.power is Power.STOPPED
        if not expected:
            self._listener("exited", machine, {"status": status})

    def _run_script(self, machine: Machine, job: Job) -> Output:
        instance_id = machine.order.instance_id
        with tempfile.TemporaryDirectory(dir=self._folder / instance_id, prefix="command-") as folder:
            program, stdout, stderr = (Path(folder) / name for name in ("script", "stdout", "stderr"))
            program.write_text(job.script)
            pid = self._supervision.spawn(
                instance_id,
                ["/bin/sh", str(program)],
                self._content(machine),
                self._environment(machine),
                stdout=stdout,
                stderr=stderr,
            )
            exit_code = self._supervision.wait(pid, job.time_limit)
            if exit_code is None:
                self._supervision.kill(pid)
            return Output(exit_code, *(path.read_text(errors="replace") for path in (stdout, stderr)))


def _program(content: Path) -> list[str]:
    executable = content / "run"
    if os.access(executable, os.X_OK):
        return [str(executable)]
    return [sys.executable, "-S", "-E", str(content / "run.py")]


def _environment() -> dict[str, str]:
    """Nothing of the server's environment but where to find programs, and this Python first among them."""
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }

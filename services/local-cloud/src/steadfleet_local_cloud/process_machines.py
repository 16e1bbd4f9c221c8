"""Machines that are child processes, each on its own loopback address and in its own folder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import uuid
from datetime import timedelta
from pathlib import Path

from steadfleet_local_cloud.errors import MachineError
from steadfleet_local_cloud.images import Images
from steadfleet_local_cloud.machines import Boot, Job, Listener, Machine, Machines, Order, Output, Power
from steadfleet_local_cloud.supervision import Supervision

_PORT = "8080"
_SHUTDOWN_TIME = timedelta(seconds=1)


class ProcessMachines(Machines):
    """The image's own program as a child process that listens on the instance's private address."""

    def __init__(self, folder: Path, images: Images, listener: Listener) -> None:
        self._folder = folder
        self._images = images
        self._listener = listener
        self._lock = threading.RLock()
        self._machines: dict[str, Machine] = {}
        self._by_pid: dict[int, Machine] = {}
        self._timers: dict[str, threading.Timer] = {}
        self._supervision = Supervision(self._exited)
        shutil.rmtree(folder, ignore_errors=True)  # an earlier cloud's; its machines died with it
        folder.mkdir(parents=True)

    def boot(self, order: Order, how: Boot) -> None:
        machine = Machine(order)
        shutil.copytree(self._images.content(order.image_id), self._content(machine), symlinks=True)
        with self._lock:
            self._machines[order.instance_id] = machine
        self._power_on(machine, how, "booted")

    def stop(self, instance_id: str) -> None:
        machine = self._machine(instance_id)
        self._power_off(machine)
        self._listener("stopped", machine, {})

    def start(self, instance_id: str, how: Boot) -> None:
        self._power_on(self._machine(instance_id), how, "started")

    def reboot(self, instance_id: str, how: Boot) -> None:
        machine = self._machine(instance_id)
        self._power_off(machine)
        self._power_on(machine, how, "rebooted")

    def terminate(self, instance_id: str) -> None:
        with self._lock:
            machine = self._machines.pop(instance_id, None)
        if machine is None:
            return
        self._power_off(machine)
        self._let_go(machine)
        shutil.rmtree(self._content(machine), ignore_errors=True)
        self._listener("terminated", machine, {})

    def hang(self, instance_id: str, *, hung: bool) -> None:
        machine = self._machine(instance_id)
        with machine.changed:
            machine.hung = hung
            machine.changed.notify_all()
        self._supervision.signal(instance_id, signal.SIGSTOP if hung else signal.SIGCONT)
        self._listener("hung" if hung else "revived", machine, {})

    def content(self, instance_id: str) -> Path | None:
        with self._lock:
            machine = self._machines.get(instance_id)
        return self._content(machine) if machine else None

    def run_command(self, instance_id: str, job: Job) -> Output | None:
        machine = self._machine(instance_id)
        with machine.changed:
            if not machine.changed.wait_for(
                lambda: machine.reachable or machine.gone, job.patience.total_seconds()
            ):
                return None
        if machine.gone:
            raise MachineError(f"{instance_id} was terminated")
        job.began()
        with tempfile.TemporaryDirectory(dir=self._folder / instance_id, prefix="command-") as folder:
            return self._run_script(machine, job, Path(folder))

    def status_check(self, instance_id: str) -> tuple[str, str]:
        return self._machine(instance_id).status_check

    def all(self) -> list[Machine]:
        with self._lock:
            return sorted(self._machines.values(), key=lambda machine: machine.order.instance_id)

    def close(self) -> None:
        with self._lock:
            timers = list(self._timers.values())
            machines = list(self._machines.values())
        for machine in machines:
            self._let_go(machine)
        for timer in timers:
            timer.cancel()
            timer.join()
        self._supervision.close()

    def _machine(self, instance_id: str) -> Machine:
        with self._lock:
            if instance_id not in self._machines:
                raise MachineError(f"there is no machine behind {instance_id}")
            return self._machines[instance_id]

    def _content(self, machine: Machine) -> Path:
        return self._folder / machine.order.instance_id / "content"

    def _power_on(self, machine: Machine, how: Boot, event: str) -> None:
        machine.boot_id = str(uuid.uuid4())
        self._set_power(machine, Power.FAILED if how.fails else Power.BOOTING)
        if how.fails:
            self._listener("boot-failed", machine, {})
        elif how.delay:
            self._listener("booting", machine, {"delay": how.delay.total_seconds()})
            self._run_later(machine, how.delay, event)
        else:
            self._run_program(machine, event)

    def _run_later(self, machine: Machine, delay: timedelta, event: str) -> None:
        boot_id = machine.boot_id

        def wake() -> None:
            with self._lock:
                if machine.boot_id == boot_id and machine.power is Power.BOOTING:
                    self._run_program(machine, event)

        timer = threading.Timer(delay.total_seconds(), wake)
        timer.daemon = True
        with self._lock:
            self._timers[machine.order.instance_id] = timer
        timer.start()

    def _run_program(self, machine: Machine, event: str) -> None:
        content = self._content(machine)
        argv = _program(content)
        console = content.with_name("console.log")
        with self._lock:
            machine.pid = self._supervision.spawn(
                machine.order.instance_id,
                argv,
                content,
                _environment(machine),
                stdout=console,
                stderr=console,
            )
            self._by_pid[machine.pid] = machine
        self._set_power(machine, Power.RUNNING)
        if machine.hung:
            self._supervision.signal(machine.order.instance_id, signal.SIGSTOP)
        self._listener(event, machine, {})

    def _power_off(self, machine: Machine) -> None:
        instance_id = machine.order.instance_id
        with self._lock:
            if timer := self._timers.pop(instance_id, None):
                timer.cancel()
            pid = machine.pid
        self._set_power(machine, Power.STOPPED)
        if pid is not None and not machine.hung:
            self._supervision.signal(instance_id, signal.SIGTERM)
            self._supervision.wait(pid, _SHUTDOWN_TIME)
        self._supervision.end(instance_id)
        with self._lock:
            self._by_pid.pop(pid or 0, None)
            machine.pid = None

    def _exited(self, pid: int, status: int) -> None:
        with self._lock:
            machine = self._by_pid.pop(pid, None)
            if machine is None:
                return
            machine.pid = None
            expected = machine.power is Power.STOPPED
        if not expected:
            self._listener("exited", machine, {"status": status})

    def _set_power(self, machine: Machine, power: Power) -> None:
        with machine.changed:
            machine.power = power
            machine.changed.notify_all()

    def _let_go(self, machine: Machine) -> None:
        with machine.changed:
            machine.gone = True
            machine.changed.notify_all()

    def _run_script(self, machine: Machine, job: Job, folder: Path) -> Output:
        paths = folder / "script", folder / "stdout", folder / "stderr"
        program, stdout, stderr = paths
        program.write_text(job.script)
        pid = self._supervision.spawn(
            machine.order.instance_id,
            ["/bin/sh", str(program)],
            self._content(machine),
            _environment(machine),
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


def _environment(machine: Machine) -> dict[str, str]:
    """Nothing of the server's environment but where to find programs, and this Python first among them."""
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "ADDRESS": machine.order.address,
        "PORT": _PORT,
        "INSTANCE_ID": machine.order.instance_id,
        "BOOT_ID": machine.boot_id,
        "ZONE": machine.order.zone,
    }

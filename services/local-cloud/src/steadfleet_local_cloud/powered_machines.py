"""What all drivers of real machines share: who is there, boots that are late or fail, commands that wait."""

from __future__ import annotations

import logging
import threading
import uuid
from abc import abstractmethod
from datetime import timedelta
from typing import Generic, TypeVar

from steadfleet_local_cloud.errors import MachineError
from steadfleet_local_cloud.machines import Boot, Job, Listener, Machine, Machines, Order, Output, Power

_log = logging.getLogger(__name__)
PORT = "8080"
M = TypeVar("M", bound=Machine)


class PoweredMachines(Machines, Generic[M]):
    """Machines that are switched on and off; a driver says how."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._lock = threading.RLock()
        self._machines: dict[str, M] = {}
        self._timers: dict[str, threading.Timer] = {}

    @abstractmethod
    def _make(self, order: Order) -> M:
        """Make a machine that is switched off."""

    @abstractmethod
    def _switch_on(self, machine: M) -> None:
        """Bring up its system and start its program."""

    @abstractmethod
    def _switch_off(self, machine: M) -> None:
        """End everything that runs on it, in order if it does not hang; when this returns, nothing runs."""

    @abstractmethod
    def _hold(self, machine: M, *, hung: bool) -> None:
        """Freeze or revive everything that runs on it."""

    @abstractmethod
    def _remove(self, machine: M) -> None:
        """Throw away a machine that is switched off."""

    @abstractmethod
    def _run_script(self, machine: M, job: Job) -> Output: ...

    @abstractmethod
    def _end_all(self) -> None:
        """End every machine, without ceremony."""

    def boot(self, order: Order, how: Boot) -> None:
        machine = self._make(order)
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
        self._remove(machine)
        self._listener("terminated", machine, {})

    def hang(self, instance_id: str, *, hung: bool) -> None:
        machine = self._machine(instance_id)
        with machine.turning:
            with machine.changed:
                machine.hung = hung
                machine.changed.notify_all()
            self._hold(machine, hung=hung)
        self._listener("hung" if hung else "revived", machine, {})

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
        return self._run_script(machine, job)

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
        self._end_all()

    def _machine(self, instance_id: str) -> M:
        with self._lock:
            if instance_id not in self._machines:
                raise MachineError(f"there is no machine behind {instance_id}")
            return self._machines[instance_id]

    def _power_on(self, machine: M, how: Boot, event: str) -> None:
        machine.boot_id = str(uuid.uuid4())
        self._set_power(machine, Power.FAILED if how.fails else Power.BOOTING)
        if how.fails:
            self._listener("boot-failed", machine, {})
        elif how.delay:
            self._listener("booting", machine, {"delay": how.delay.total_seconds()})
            self._wake_later(machine, how.delay, event)
        else:
            self._wake_now(machine, event)

    def _wake_now(self, machine: M, event: str) -> None:
        self._wake(machine, event)

    def _wake_later(self, machine: M, delay: timedelta, event: str) -> None:
        timer = threading.Timer(delay.total_seconds(), self._wake_unheard, (machine, machine.boot_id, event))
        timer.daemon = True
        with self._lock:
            self._timers[machine.order.instance_id] = timer
        timer.start()

    def _wake_unheard(self, machine: M, boot_id: str, event: str) -> None:
        """Wake it in a thread of its own, if this boot is still wanted; a failure is for whoever looks."""
        with machine.turning:
            if machine.boot_id != boot_id or machine.power is not Power.BOOTING or machine.gone:
                return
            try:
                self._wake(machine, event)
            except Exception as error:  # noqa: BLE001 - nobody waits for this call
                _log.exception("%s did not boot", machine.order.instance_id)
                self._set_power(machine, Power.FAILED)
                self._listener("boot-failed", machine, {"error": str(error)})

    def _wake(self, machine: M, event: str) -> None:
        with machine.turning:
            self._switch_on(machine)
            self._set_power(machine, Power.RUNNING)
            if machine.hung:
                self._hold(machine, hung=True)
        self._listener(event, machine, {})

    def _power_off(self, machine: M) -> None:
        with self._lock:
            if timer := self._timers.pop(machine.order.instance_id, None):
                timer.cancel()
        with machine.turning:
            self._set_power(machine, Power.STOPPED)
            self._switch_off(machine)

    def _set_power(self, machine: M, power: Power) -> None:
        with machine.changed:
            machine.power = power
            machine.changed.notify_all()

    def _let_go(self, machine: M) -> None:
        with machine.changed:
            machine.gone = True
            machine.changed.notify_all()


def identity(machine: Machine, user_data_file: str) -> dict[str, str]:
    """Tell a machine's program and commands who they are, and where their user data is if they have any."""
    told = {"USER_DATA_FILE": user_data_file} if machine.order.user_data else {}
    return told | {
        "ADDRESS": machine.order.address,
        "PORT": PORT,
        "INSTANCE_ID": machine.order.instance_id,
        "BOOT_ID": machine.boot_id,
        "ZONE": machine.order.zone,
    }

"""SSM Run Command: shell scripts really run, with the output and exit code that they really have."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ssm.exceptions import SSMException
from moto.ssm.models import SimpleSystemManagerBackend
from moto.ssm.responses import SimpleSystemManagerResponse

from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.errors import MachineError
from steadfleet_local_cloud.machines import Job, Output
from steadfleet_local_cloud.patches import Patches

_log = logging.getLogger(__name__)
_DOCUMENT = "AWS-RunShellScript"
_OUTPUT_LIMIT = 24_000  # characters, as on AWS; error output 8,000
_ERROR_LIMIT = 8_000
_DEFAULT_TIME_LIMIT = "3600"
_LISTED = ("CommandId", "InstanceId", "DocumentName", "Status", "StatusDetails")
_OPEN = ("Pending", "InProgress")
_Invocation = dict[str, Any]


class RunCommand:
    """Wrap moto's SSM, which says "Success" at once and runs nothing."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        self._threads: list[threading.Thread] = []
        patches.wrap(SimpleSystemManagerBackend, "send_command", self._send)
        patches.replace(SimpleSystemManagerResponse, "list_command_invocations", _list_invocations)
        patches.replace(SimpleSystemManagerResponse, "describe_instance_information", self._information())

    def close(self) -> None:
        """End with the machines: what waits for one must be told that it is gone."""
        self._context.machines.close()
        for thread in self._threads:
            thread.join()

    def _send(self, original: Any, backend: Any, **options: Any) -> Any:
        if options["document_name"] != _DOCUMENT:
            raise SSMException("InvalidDocument", f"This local cloud runs {_DOCUMENT} only.")
        instance_ids = self._addressed(backend, options.pop("instance_ids"), options["targets"])
        command = original(backend, instance_ids=list(instance_ids), **options)
        # moto takes every instance there is when no targets are given
        command.instance_ids = instance_ids
        command.target_count = len(instance_ids)
        command.completed_count = 0
        command.invocations = [
            _pending(command.invocation_response(one, "aws:runShellScript")) for one in instance_ids
        ]
        _sum_up(command)
        for invocation in command.invocations:
            thread = threading.Thread(
                target=self._run, args=(command, invocation), name="run-command", daemon=True
            )
            self._threads = [*(one for one in self._threads if one.is_alive()), thread]
            thread.start()
        return command

    def _addressed(self, backend: Any, instance_ids: list[str], targets: list[dict[str, Any]]) -> list[str]:
        """Name the running instances that a command is for; SSM knows no others."""
        ec2 = ec2_backends[backend.account_id][backend.region_name]
        running = {one.id for one in ec2.all_instances() if one.state == "running"}
        if not self._context.real:
            raise SSMException("InvalidInstanceId", "No machine here can run commands: --machines none.")
        if unknown := [one for one in instance_ids if one not in running]:
            raise SSMException(
                "InvalidInstanceId", f"Instances {unknown} are not in a valid state for account."
            )
        chosen = list(dict.fromkeys(instance_ids))
        if targets:
            filters = {target["Key"]: target["Values"] for target in targets}
            found = [one.id for group in ec2.all_reservations(filters=filters) for one in group.instances]
            chosen += [one for one in found if one in running and one not in chosen]
        return chosen

    def _run(self, command: Any, invocation: _Invocation) -> None:
        instance_id = invocation["InstanceId"]
        try:
            output = self._context.machines.run_command(instance_id, self._job(command, invocation))
            self._finish(command, invocation, output, *_verdict(output))
        except MachineError:  # terminated while the command was under way
            self._finish(command, invocation, None, "Failed", "Undeliverable")
        except Exception:  # noqa: BLE001 - a caller polls for this command's end: it must have one
            _log.exception("a defect while running a command on %s", instance_id)
            self._finish(command, invocation, None, "Failed", "Failed")

    def _job(self, command: Any, invocation: _Invocation) -> Job:
        time_limit = command.parameters.get("executionTimeout", [_DEFAULT_TIME_LIMIT])[0]
        return Job(
            script=_script(command.parameters),
            patience=timedelta(seconds=command.timeout_seconds),
            time_limit=timedelta(seconds=int(time_limit)),
            began=lambda: self._began(command, invocation),
        )

    def _began(self, command: Any, invocation: _Invocation) -> None:
        invocation |= {
            "Status": "InProgress",
            "StatusDetails": "InProgress",
            "ExecutionStartDateTime": datetime.now(UTC).isoformat(),
        }
        _sum_up(command)

    def _finish(
        self, command: Any, invocation: _Invocation, output: Output | None, status: str, details: str
    ) -> None:
        invocation |= {
            "Status": status,
            "StatusDetails": details,
            "ResponseCode": -1 if output is None or output.exit_code is None else output.exit_code,
            "StandardOutputContent": output.stdout[:_OUTPUT_LIMIT] if output else "",
            "StandardErrorContent": output.stderr[:_ERROR_LIMIT] if output else "",
            "ExecutionEndDateTime": datetime.now(UTC).isoformat(),
        }
        _sum_up(command)
        self._context.record.append(
            "machine",
            event="command-ended",
            instance=invocation["InstanceId"],
            command=command.command_id,
            status=status,
            exit_code=invocation["ResponseCode"],
        )

    def _information(self) -> Any:
        machines = self._context.machines

        def describe_instance_information(response: Any) -> ActionResult:
            """Say which machines of the region would take a command now."""
            here = ec2_backends[response.current_account][response.region]
            instances = {one.id for one in here.all_instances()}
            known = [
                {
                    "InstanceId": machine.order.instance_id,
                    "PingStatus": "Online" if machine.reachable else "ConnectionLost",
                    "IPAddress": machine.order.address,
                    "PlatformType": "Linux",
                    "PlatformName": "steadfleet-local-cloud",
                    "ResourceType": "EC2Instance",
                }
                for machine in machines.all()
                if machine.order.instance_id in instances
            ]
            return ActionResult({"InstanceInformationList": known})

        return describe_instance_information


def _list_invocations(response: Any) -> ActionResult:
    def parameter(name: str) -> Any:
        return response._get_param(name)  # noqa: SLF001 - how moto's own actions read theirs

    wanted = parameter("InstanceId")
    listed = [
        _listed(command, invocation, details=bool(parameter("Details")))
        for command in response.ssm_backend.list_commands(parameter("CommandId"), wanted)
        for invocation in command.invocations
        if wanted in {None, invocation["InstanceId"]}
    ]
    return ActionResult({"CommandInvocations": listed})


def _listed(command: Any, invocation: _Invocation, *, details: bool) -> _Invocation:
    listed = {
        "RequestedDateTime": command.requested_date_time,
        **{
            name: invocation[name]
            for name in ("CommandId", "InstanceId", "DocumentName", "Status", "StatusDetails")
        },
    }
    if details:
        plugin = {name: invocation[name] for name in ("Status", "StatusDetails", "ResponseCode")}
        output = invocation["StandardOutputContent"]
        listed["CommandPlugins"] = [plugin | {"Name": invocation["PluginName"], "Output": output}]
    return listed


def _script(parameters: dict[str, list[str]]) -> str:
    folder = parameters.get("workingDirectory", [""])[0]
    return "\n".join([*([f"cd {folder!r} || exit 1"] if folder else []), *parameters["commands"], ""])


def _pending(invocation: _Invocation) -> _Invocation:
    return invocation | {"Status": "Pending", "StatusDetails": "Pending", "ResponseCode": -1}


def _verdict(output: Output | None) -> tuple[str, str]:
    if output is None:
        return "TimedOut", "Delivery Timed Out"
    if output.exit_code is None:
        return "TimedOut", "Execution Timed Out"
    return ("Success", "Success") if output.exit_code == 0 else ("Failed", "Failed")


def _sum_up(command: Any) -> None:
    """Make the command's own status what its invocations' add up to."""
    states = [invocation["Status"] for invocation in command.invocations]
    command.completed_count = sum(state not in _OPEN for state in states)
    command.error_count = sum(state in {"Failed", "TimedOut"} for state in states)
    if command.completed_count < len(states):
        command.status = "Pending" if set(states) == {"Pending"} else "InProgress"
    else:
        command.status = next((state for state in ("Failed", "TimedOut") if state in states), "Success")
    command.status_details = command.status

"""Run a command on a machine through SSM."""

import asyncio
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.fleet.health import Answer, Finding
from steadfleet_activities.fleet.waiting import Pace
from steadfleet_core.campaign.policy import CommandCheck
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import GetCommandInvocationResultTypeDef

_DOCUMENT = "AWS-RunShellScript"
_LEAST_DELIVERY_TIME = 30
_SHOWN = 120
# It reached the machine: what follows is the machine's own doing.
_BEGUN = frozenset({"InProgress", "Cancelling"})
_WAITING = frozenset({"Pending", "Delayed"})
# SSM's status is `Failed` for what it could not deliver, too: only the details tell whose fault it was.
_ENDED_ON_THE_MACHINE = frozenset({"Failed", "ExecutionTimedOut"})


class Commands:
    """SSM Run Command: exit status 0 passes; a command that was never delivered says nothing."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def run(self, machine_id: str, check: CommandCheck, timeout_time: timedelta) -> Finding:
        what = f"command `{check.run[:_SHOWN]}`"
        status = "Pending"
        try:
            async with asyncio.timeout(timeout_time.total_seconds()):
                command = await unbroken(self._send, machine_id, check.run, timeout_time)
                pace = Pace()
                while True:
                    invocation = await unbroken(self._invocation, command, machine_id)
                    status = invocation["Status"] if invocation else "Pending"
                    if invocation and status not in _BEGUN | _WAITING:
                        return _judge(what, invocation)
                    await pace.rest()
        except TimeoutError:
            return _overdue(what, status, timeout_time)
        except (ClientError, BotoCoreError) as error:
            return Finding(Answer.UNKNOWN, f"{what} could not be sent: {error}")

    def _send(self, machine_id: str, script: str, timeout_time: timedelta) -> str:
        seconds = max(1, ceil(timeout_time.total_seconds()))
        answer = self._aws.ssm.send_command(
            InstanceIds=[machine_id],
            DocumentName=_DOCUMENT,
            Parameters={"commands": [script], "executionTimeout": [str(seconds)]},
            TimeoutSeconds=max(_LEAST_DELIVERY_TIME, seconds),
        )
        return answer["Command"]["CommandId"]

    def _invocation(self, command: str, machine_id: str) -> "GetCommandInvocationResultTypeDef | None":
        try:
            return self._aws.ssm.get_command_invocation(CommandId=command, InstanceId=machine_id)
        except ClientError as error:
            if code_of(error) == "InvocationDoesNotExist":  # for a moment after it was sent
                return None
            raise


def _judge(what: str, invocation: "GetCommandInvocationResultTypeDef") -> Finding:
    status, details = invocation["Status"], invocation.get("StatusDetails", "")
    if status == "Success":
        return Finding(Answer.PASSED)
    if details.replace(" ", "") in _ENDED_ON_THE_MACHINE:
        told = (
            invocation.get("StandardErrorContent") or invocation.get("StandardOutputContent") or ""
        ).strip()
        ended = f"{what} ended with {invocation.get('ResponseCode', '?')}, expected 0"
        return Finding(Answer.FAILED, f"{ended}: {told.splitlines()[-1][:_SHOWN]}" if told else ended)
    return Finding(Answer.UNKNOWN, f"{what} could not be run: SSM says {details or status}")


def _overdue(what: str, status: str, timeout_time: timedelta) -> Finding:
    within = format_duration(timeout_time)
    if status in _BEGUN:
        return Finding(Answer.FAILED, f"{what} did not end within {within}")
    return Finding(Answer.UNKNOWN, f"{what} did not reach the machine within {within}")

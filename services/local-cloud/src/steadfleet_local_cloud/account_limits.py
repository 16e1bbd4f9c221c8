"""What an account may have of DB instances and groups, and which can be ordered: moto says neither."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from steadfleet_local_cloud.patches import Patches

DEFAULTS = {
    "AutoScalingGroups": 500,
    "LaunchConfigurations": 200,
    "DBInstances": 40,
    "DBSubnetGroups": 50,
    "ManualSnapshots": 100,
}
"""AWS's own, of an account that never asked for more."""

_CLASS = re.compile(r"db\.(t3|t4g|m5|m6g|m6i|r5|r6g|r6i)\.(micro|small|medium|([0-9]*x)?large)")


class AccountLimits:
    """Answers what is used and what is allowed. Nothing is refused for it: it can only be asked about."""

    def __init__(self, patches: Patches, version: Callable[[], str]) -> None:
        self.most = dict(DEFAULTS)
        self._version = version
        for owner, name, answer in (
            (AutoScalingResponse, "describe_account_limits", self._groups),
            (RDSResponse, "describe_account_attributes", self._databases),
            (RDSResponse, "describe_orderable_db_instance_options", self._orderable),
        ):
            patches.replace(owner, name, _method(answer))

    def _groups(self, response: Any) -> ActionResult:
        backend = response.autoscaling_backend
        used = {
            "AutoScalingGroups": len(backend.autoscaling_groups),
            "LaunchConfigurations": len(backend.launch_configurations),
        }
        most = {f"MaxNumberOf{name}": self.most[name] for name in used}
        return ActionResult(most | {f"NumberOf{name}": count for name, count in used.items()})

    def _databases(self, response: Any) -> ActionResult:
        backend = response.backend
        used = {
            "DBInstances": len(backend.databases),
            "DBSubnetGroups": len(backend.subnet_groups),
            "ManualSnapshots": sum(
                one.snapshot_type == "manual" for one in backend.database_snapshots.values()
            ),
        }
        quotas = [
            {"AccountQuotaName": name, "Used": count, "Max": self.most[name]} for name, count in used.items()
        ]
        return ActionResult({"AccountQuotas": quotas})

    def _orderable(self, response: Any) -> ActionResult:
        wanted = response.params
        version, kind = self._version(), str(wanted.get("DBInstanceClass", "db.t3.micro"))
        there = wanted.get("Engine") == "postgres" and wanted.get("EngineVersion", version) == version
        option = {"Engine": "postgres", "EngineVersion": version, "DBInstanceClass": kind}
        return ActionResult(
            {"OrderableDBInstanceOptions": [option] if there and _CLASS.fullmatch(kind) else []}
        )


def _method(answer: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
    """Turn ours into what a class gives its instances."""

    def answered(response: Any) -> ActionResult:
        return answer(response)

    return answered

"""Target health from real probes, by each target group's own settings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from moto.ec2.models.instances import Instance
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup, elbv2_backends

from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.probes import Check, Failure, Prober

_NOT_REGISTERED = ("unused", "Target.NotRegistered", "Target is not registered to the target group")
_INITIAL = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
_DRAINING = ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
_STOPPED = ("unused", "Target.InvalidState", "Target is in the stopped state")
_HEALTHY = ("healthy", None, None)
Health = tuple[str, str | None, str | None]


@dataclass
class Streak:
    """The outcomes of one target's probes so far, and the health they add up to."""

    target: dict[str, Any]
    address: str = ""
    instance: Any = None  # if the target is one
    health: Health = _INITIAL
    passed: int = 0
    failed: int = 0

    def note(self, failure: Failure | None, healthy_after: int, unhealthy_after: int) -> None:
        """Take in one outcome; a new target's first pass makes it healthy, as on AWS."""
        self.passed, self.failed = (0, self.failed + 1) if failure else (self.passed + 1, 0)
        if failure and self.failed >= unhealthy_after:
            self.health = ("unhealthy", failure.reason, failure.description)
        elif not failure and (self.health is _INITIAL or self.passed >= healthy_after):
            self.health = _HEALTHY


class TargetHealth:
    """
    Wrap moto's target groups: what it calls healthy, a probe has to find so.

    A group is probed whether or not a load balancer uses it; one that does sends nothing to the ill.
    """

    def __init__(self, context: Context, patches: Patches, probe_scale: float) -> None:
        self._context = context
        self._scale = probe_scale
        self._streaks: dict[tuple[str, str], Streak] = {}
        self._drains: dict[tuple[str, str], float] = {}  # until when
        self._prober = Prober() if context.real else None
        patches.wrap(FakeTargetGroup, "register", self._register)
        patches.wrap(FakeTargetGroup, "deregister", self._deregister)
        patches.wrap(Instance, "terminate", self._terminate)
        if context.real:
            patches.wrap(FakeTargetGroup, "health_for", self._health_for)
            patches.wrap(ELBv2Backend, "describe_target_health", self._describe)

    def close(self) -> None:
        if self._prober:
            self._prober.close()

    def healthy(self, region: str, arn: str) -> list[tuple[str, int]]:
        """Tell address and port of a group's healthy targets, without the cloud's lock."""
        group = elbv2_backends[ACCOUNT][region].target_groups.get(arn)
        registered = list(group.targets.values()) if group else []
        streaks = [self._streaks.get((arn, target["Id"])) for target in registered]
        return sorted(
            (streak.address, int(streak.target["Port"]))
            for streak in streaks
            if streak and streak.health is _HEALTHY and getattr(streak.instance, "state", "") != "stopped"
        )

    def _register(self, original: Any, group: Any, targets: list[dict[str, Any]]) -> None:
        before = dict(group.targets)
        original(group, targets)
        for target_id in (target["Id"] for target in targets):
            known = before.get(target_id)
            if known and known["Port"] == group.targets[target_id]["Port"]:
                group.targets[target_id] = known  # registering again changes nothing
                continue
            self._drains.pop((group.arn, target_id), None)
            if self._prober and group.target_type in {"instance", "ip"}:
                self._watch(self._prober, group, group.targets[target_id])

    def _watch(self, prober: Prober, group: Any, target: dict[str, Any]) -> None:
        address, instance = target["Id"], None
        if group.target_type == "instance":
            instance = group.ec2_backend.get_instance(address)
            address = instance.private_ip
        streak = Streak(target, address, instance)
        self._streaks[group.arn, target["Id"]] = streak

        def check() -> Check | None:
            current = elbv2_backends[ACCOUNT][group.region_name].target_groups.get(group.arn)
            if current is None or current.targets.get(target["Id"]) is not target:
                return None
            return _check(group, address, target, self._scale)

        def note(failure: Failure | None) -> None:
            streak.note(failure, int(group.healthy_threshold_count), int(group.unhealthy_threshold_count))

        prober.watch(check, note)

    def _deregister(self, original: Any, group: Any, targets: list[dict[str, Any]]) -> None:
        # AWS takes a target that is not there for done; moto refuses
        targets = [target for target in targets if target["Id"] in group.targets]
        original(group, targets)
        delay = float(group.attributes["deregistration_delay.timeout_seconds"])
        for target in targets:
            self._streaks.pop((group.arn, target["Id"]), None)
            self._drains[group.arn, target["Id"]] = time.monotonic() + delay

    def _terminate(self, original: Any, instance: Any) -> Any:
        for group in elbv2_backends[ACCOUNT][instance.ec2_backend.region_name].target_groups.values():
            if instance.id in group.targets:
                group.deregister([{"Id": instance.id}])
        return original(instance)

    def _health_for(self, original: Any, group: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
        target_id = target["Id"]
        if group.target_type not in {"instance", "ip"}:
            return original(group, target, ec2_backend)
        port = group.targets.get(target_id, target).get("Port", group.port)
        return FakeHealthStatus(
            target_id, port, group.health_check_port, *self._health(group, target_id, ec2_backend)
        )

    def _health(self, group: Any, target_id: str, ec2_backend: Any) -> Health:
        if target_id not in group.targets:
            return _DRAINING if self._drains_now(group.arn, target_id) else _NOT_REGISTERED
        instance = ec2_backend.get_instance_by_id(target_id) if group.target_type == "instance" else None
        if instance and instance.state == "stopped":
            return _STOPPED
        return self._streaks[group.arn, target_id].health

    def _drains_now(self, arn: str, target_id: str) -> bool:
        return self._drains.get((arn, target_id), 0.0) > time.monotonic()

    def _describe(
        self, original: Any, backend: Any, target_group_arn: str, targets: list[dict[str, Any]]
    ) -> Any:
        group = backend.target_groups.get(target_group_arn)
        if targets or group is None:
            return original(backend, target_group_arn, targets)
        draining = [
            {"Id": target_id}
            for arn, target_id in list(self._drains)
            if arn == target_group_arn and target_id not in group.targets and self._drains_now(arn, target_id)
        ]
        listed = [*group.targets.values(), *draining]
        return original(backend, target_group_arn, listed) if listed else []


def _check(group: Any, address: str, target: dict[str, Any], scale: float) -> Check:
    port = target["Port"] if group.health_check_port in {None, "traffic-port"} else group.health_check_port
    protocol = group.health_check_protocol or "HTTP"
    return Check(
        protocol=protocol,
        address=address,
        port=int(port),
        path=group.health_check_path or "/",
        codes="" if protocol == "TCP" else group.matcher.get("HttpCode", "200"),
        timeout=float(group.health_check_timeout_seconds),
        interval=float(group.health_check_interval_seconds) * scale,
    )

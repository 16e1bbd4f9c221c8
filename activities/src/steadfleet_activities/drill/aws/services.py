"""Services that are Auto Scaling groups: made beside production, found by a name of the drill's own."""

import re
from collections.abc import Mapping
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from steadfleet_activities.drill.aws.balancers import Balancer
from steadfleet_activities.drill.aws.clients import DrillAws, Regions
from steadfleet_activities.drill.aws.groups import Group, Members
from steadfleet_activities.drill.aws.images import DrillImages
from steadfleet_activities.drill.aws.names import address_of
from steadfleet_activities.drill.aws.networks import AwsNetworks
from steadfleet_activities.drill.aws.service_preflight import ServicePreflight
from steadfleet_activities.drill.aws.zones import point
from steadfleet_activities.drill.drivers import (
    CommandOutcome,
    Facts,
    FoundService,
    InsideProbe,
    Inspected,
    Say,
    Service,
    ServiceDriver,
)
from steadfleet_activities.fleet.commands import Commands
from steadfleet_activities.fleet.health import Answer
from steadfleet_activities.fleet.waiting import looked
from steadfleet_core.campaign.policy import CommandCheck
from steadfleet_core.drill.order import Drill, ResolvedService
from steadfleet_core.drill.plan import GroupService
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken
from steadfleet_ports.drill import DrillInspection, DrillPreparation, StepRequest

_CONNECT_TIME = 3
_HOST = re.compile(r"[A-Za-z0-9.-]+")
_PROBE_TIME = timedelta(minutes=1)
# Whichever of the two the machine has; a machine with neither fails the control, too.
_CONNECTS = (
    "if command -v bash >/dev/null && command -v timeout >/dev/null; then "
    "timeout {time} bash -c 'exec 3<>/dev/tcp/{host}/{port}'; "
    "else python3 -c \"import socket; socket.create_connection(('{host}', {port}), {time})\"; fi"
)


class GroupServices(ServiceDriver):
    """`profile` is an instance profile for the machines, without which SSM may not reach them."""

    def __init__(
        self, regions: Regions, networks: AwsNetworks, images: DrillImages, profile: str = ""
    ) -> None:
        self._regions = regions
        self._networks = networks
        self._images = images
        self._profile = profile

    async def resolve(self, service: Service, preparation: DrillPreparation) -> FoundService:
        group = _group(service)
        aws = self._regions.at(preparation.order.plan.spec.recovery.region)
        try:
            image = await self._images.resolve(aws, group.image)
            trusted = await self._images.trusted(aws, image)
        except RefusedError as refused:
            raise RefusedError(f"service {group.name}: {refused}") from refused
        resolved = ResolvedService(
            name=group.name,
            image=image,
            content=trusted.content,
            address=address_of(group, preparation),
            port=group.port,
        )
        return FoundService(resolved, tuple(f"service {group.name}: {said}" for said in trusted.warnings))

    async def inspect(self, service: Service, inspection: DrillInspection) -> Inspected:
        preflight = ServicePreflight(self._regions, self._networks, self._images, _group(service), inspection)
        return await preflight.look()

    async def provision(self, service: Service, request: StepRequest, say: Say) -> Facts:
        group, drill = _group(service), request.drill
        aws, network = self._regions.at(drill.region), request.made[str(StepKind.ISOLATE)]
        balancer = Balancer(aws, drill, group)
        say("making the load balancer")
        target_group = await unbroken(balancer.target_group, network["vpc"])
        made = await unbroken(balancer.balancer, network)
        await unbroken(balancer.listen, made["LoadBalancerArn"], target_group)
        address = drill.service(group.name).address
        await unbroken(point, aws, network["hosted_zone"], address, made)
        say("waiting for the load balancer")
        seen = await looked(
            lambda one: one is not None and one["State"]["Code"] == "active",
            group.start_time_limit,
            balancer.found,
        )
        if seen is None or seen["State"]["Code"] != "active":
            state = seen["State"]["Code"] if seen else "gone"
            raise _unfinished(f"the load balancer of {group.name} is {state}", group.start_time_limit)
        return {
            "host": address,
            "port": str(group.port),
            "target_group": target_group,
            "load_balancer": made["LoadBalancerArn"],
            "balancer_name": made["DNSName"],
        }

    async def start(
        self, service: Service, request: StepRequest, environment: Mapping[str, str], say: Say
    ) -> Facts:
        wanted, drill = _group(service), request.drill
        provisioned = request.made[f"{StepKind.PROVISION} {wanted.name}"]
        network = request.made[str(StepKind.ISOLATE)]
        group = Group(self._regions.at(drill.region), drill, wanted, self._profile)
        say(f"launching {wanted.count} machines")
        template = await unbroken(group.template, network, environment)
        await unbroken(group.group, network, template, provisioned["target_group"])
        say(f"waiting for {wanted.count} machines to run")
        members = await looked(
            lambda seen: len(seen.running) >= wanted.count, wanted.start_time_limit, group.members
        )
        if len(members.running) < wanted.count:
            raise _too_few(wanted, members)
        return {
            "host": provisioned["host"],
            "port": provisioned["port"],
            "machines": ",".join(members.running),
            "group": group.name,
        }

    async def run_command(
        self, drill: Drill, made: Facts, command: str, time_limit: timedelta
    ) -> CommandOutcome:
        return await _run(self._regions.at(drill.region), _machine(made), command, time_limit)

    async def probe_from_inside(
        self, drill: Drill, made: Facts, addresses: tuple[str, ...], control: str
    ) -> InsideProbe:
        aws, machine = self._regions.at(drill.region), _machine(made)
        control = control or f"{await unbroken(_address, aws, machine)}:{made['port']}"
        tried = await self._connects(aws, machine, control)
        if not tried.passed:
            return InsideProbe(problem=f"{machine} does not reach {control}, which it should: {tried.reason}")
        reached = []
        for address in addresses:
            outcome = await self._connects(aws, machine, address)
            if not outcome.proven:
                return InsideProbe(problem=f"{machine} did not try {address}: {outcome.reason}")
            if outcome.passed:
                reached.append(address)
        return InsideProbe(probed=addresses, reached=tuple(reached))

    async def _connects(self, aws: DrillAws, machine: str, address: str) -> CommandOutcome:
        host, _, port = address.rpartition(":")
        if not (_HOST.fullmatch(host) and port.isdecimal()):  # it becomes a part of a shell command
            return CommandOutcome(passed=False, proven=False, reason="expected HOST:PORT")
        script = _CONNECTS.format(host=host, port=port, time=_CONNECT_TIME)
        return await _run(aws, machine, script, _PROBE_TIME)


async def _run(aws: DrillAws, machine: str, command: str, time_limit: timedelta) -> CommandOutcome:
    finding = await Commands(aws).run(machine, CommandCheck(type="command", run=command), time_limit)
    return CommandOutcome(
        passed=finding.answer is Answer.PASSED,
        proven=finding.answer is not Answer.UNKNOWN,
        reason=finding.said,
    )


def _address(aws: DrillAws, machine: str) -> str:
    answer = aws.ec2.describe_instances(InstanceIds=[machine])
    return answer["Reservations"][0]["Instances"][0]["PrivateIpAddress"]


def _machine(made: Facts) -> str:
    return made["machines"].split(",")[0]


def _group(service: Service) -> GroupService:
    if not isinstance(service, GroupService):
        raise RefusedError(f"service {service.name} is of type {service.type}, and this serves group")
    return service


def _too_few(service: GroupService, members: Members) -> ApplicationError:
    why = f" ({members.problem})" if members.problem else ""
    return _unfinished(
        f"{len(members.running)} of {service.count} machines of {service.name} run{why}",
        service.start_time_limit,
    )


def _unfinished(what: str, limit: timedelta) -> ApplicationError:
    return ApplicationError(
        f"{what} after {format_duration(limit)}: look at it in AWS, and then retry the step or abort",
        type="NotStarted",
        non_retryable=True,
    )

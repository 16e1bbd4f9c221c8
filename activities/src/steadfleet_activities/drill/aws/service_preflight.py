"""What will go wrong with a service's machines, seen before anything is made."""

from steadfleet_activities.drill.aws.balancers import Balancer
from steadfleet_activities.drill.aws.clients import Regions
from steadfleet_activities.drill.aws.groups import Group
from steadfleet_activities.drill.aws.images import DrillImages
from steadfleet_activities.drill.aws.looking import Look
from steadfleet_activities.drill.aws.names import tags_of
from steadfleet_activities.drill.aws.networks import AwsNetworks
from steadfleet_activities.drill.drivers import Inspected
from steadfleet_activities.image.amis import filters_of, specifications
from steadfleet_core.drill.plan import GroupService
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_durable import unbroken
from steadfleet_ports.drill import DrillInspection


class ServicePreflight:
    """Looks at one service."""

    def __init__(
        self,
        regions: Regions,
        networks: AwsNetworks,
        images: DrillImages,
        service: GroupService,
        inspection: DrillInspection,
    ) -> None:
        self._service = service
        self._drill = inspection.drill
        self._aws = regions.at(inspection.drill.region)
        self._networks = networks
        self._images = images
        self._image = inspection.drill.service(service.name).image
        self._look = Look(f"service {service.name}", f"{StepKind.START} {service.name}")

    async def look(self) -> Inspected:
        await self._trust()
        await unbroken(self._rest)
        return self._look.told()

    async def _trust(self) -> None:
        """Look at the image again: a standing plan's may be gone, or revoked since it was resolved."""
        try:
            # What it only warns of was said when the drill was resolved.
            await self._images.trusted(self._aws, self._image)
        except RefusedError as refused:
            self._look.say(str(refused), blocks=True, advice="publish a signed image there, or name another")

    def _rest(self) -> None:
        with self._look.asking("the image"):
            self._image_there()
        with self._look.asking(f"that {self._service.instance_type} is offered", needed=False):
            self._offered()
        with self._look.asking("that names are free"):
            self._names()
        with self._look.asking("limits of Auto Scaling", needed=False):
            self._limits()
        self._look.permitted("ec2:RunInstances", self._launch_dry)
        self._look.permitted("ec2:CreateLaunchTemplate", self._template_dry)

    def _image_there(self) -> None:
        found = self._aws.ec2.describe_images(Filters=filters_of({"image-id": [self._image]}))["Images"]
        if not any(one["State"] == "available" for one in found):
            self._look.say(
                f"image {self._image} is not available in {self._aws.region}",
                blocks=True,
                advice="publish it to the recovery region",
            )

    def _offered(self) -> None:
        zones = self._networks.zones(self._aws, self._networks.ground(self._aws))
        answers = self._aws.ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone",
            Filters=filters_of({"instance-type": [self._service.instance_type]}),
        )
        offered = {one["Location"] for answer in answers for one in answer["InstanceTypeOfferings"]}
        if missing := sorted(set(zones) - offered):
            self._look.say(
                f"{self._service.instance_type} is not offered in {', '.join(missing)}",
                blocks=len(missing) == len(set(zones)),
                advice="choose another instanceType",
            )

    def _names(self) -> None:
        group = Group(self._aws, self._drill, self._service)
        if group.found() is not None:
            self._taken(f"the group {group.name}")
        if Balancer(self._aws, self._drill, self._service).found() is not None:
            self._taken(
                f"a load balancer of {self._service.name}", f"{StepKind.PROVISION} {self._service.name}"
            )

    def _taken(self, what: str, predicts: str = "") -> None:
        self._look.say(
            f"{what} is there already", blocks=True, advice="sweep the run that left it", predicts=predicts
        )

    def _limits(self) -> None:
        needed = sum(service.type == "group" for service in self._drill.plan.spec.services)
        limits = self._aws.autoscaling.describe_account_limits()
        most, used = limits["MaxNumberOfAutoScalingGroups"], limits["NumberOfAutoScalingGroups"]
        if used + needed > most:
            self._look.say(
                f"{needed} more Auto Scaling groups do not fit into {self._aws.region}: "
                f"{used} of {most} are used",
                blocks=True,
                advice="raise the quota of the recovery region before you need it",
            )

    def _launch_dry(self) -> object:
        return self._aws.ec2.run_instances(
            ImageId=self._image,
            InstanceType=self._service.instance_type,  # type: ignore[arg-type]
            MinCount=self._service.count,
            MaxCount=self._service.count,
            DryRun=True,
            TagSpecifications=specifications(tags_of(self._drill), "instance"),
        )

    def _template_dry(self) -> object:
        return self._aws.ec2.create_launch_template(
            LaunchTemplateName=Group(self._aws, self._drill, self._service).name,
            LaunchTemplateData={"ImageId": self._image},
            DryRun=True,
            TagSpecifications=specifications(tags_of(self._drill), "launch-template"),
        )

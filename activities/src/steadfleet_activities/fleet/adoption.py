"""Move the groups to the judged image, at the very end."""

import hashlib
from dataclasses import dataclass

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.members import Members, group_tag
from steadfleet_activities.fleet.templates import Templates
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Group, Image
from steadfleet_ports.fleet import ImageAdoption


@dataclass(frozen=True)
class Adoption:
    """Gives each group a version of its launch template that differs in the image alone."""

    aws: Aws
    members: Members
    templates: Templates

    def adopt(self, order: ImageAdoption) -> None:
        for group in order.plan.groups:
            self._move(group, order.plan.image, order.campaign)

    def _move(self, frozen: Group, image: Image, campaign: str) -> None:
        group = self.members.group(frozen.name)
        template = group.get("LaunchTemplate", {})
        template_id, pointer = template.get("LaunchTemplateId", ""), template.get("Version", "$Default")
        ours = self._existing(frozen, image, campaign)
        if template_id == frozen.template_id and pointer == str(ours):
            return
        now = self.templates.number(template_id, pointer) if template_id else None
        if template_id != frozen.template_id or now not in {frozen.template_version, ours}:
            raise RefusedError(
                f"group {frozen.name} launches from version {now} of {template_id or 'no launch template'}, "
                f"expected version {frozen.template_version} of {frozen.template_id} as when the plan was "
                f"frozen: somebody moved it meanwhile, and it is left so; its hosts run {image.id}, so move "
                "the group to that image by hand"
            )
        number = ours or self._create(frozen, image, campaign)
        # The old number first: a crash between the two leaves a note too many, not one too few.
        self.aws.autoscaling.create_or_update_tags(
            Tags=[group_tag(frozen.name, tags.PREVIOUS_VERSION, str(frozen.template_version))]
        )
        self.aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=frozen.name,
            LaunchTemplate={"LaunchTemplateId": frozen.template_id, "Version": str(number)},
        )

    def _existing(self, frozen: Group, image: Image, campaign: str) -> int | None:
        wanted = _description(frozen, image, campaign)
        for version in self.templates.versions(frozen.template_id):
            described = version.get("VersionDescription") == wanted
            if described and version["LaunchTemplateData"].get("ImageId") == image.id:
                return version["VersionNumber"]
        return None

    def _create(self, frozen: Group, image: Image, campaign: str) -> int:
        # The whole data and no SourceVersion: so it says itself what it is, and nothing is merged.
        data = dict(self.templates.version(frozen.template_id, frozen.template_version)["LaunchTemplateData"])
        described = _description(frozen, image, campaign)
        answer = self.aws.launcher.create_launch_template_version(
            LaunchTemplateId=frozen.template_id,
            VersionDescription=described,
            LaunchTemplateData=self.templates.request(
                "CreateLaunchTemplateVersion", "LaunchTemplateData", data | {"ImageId": image.id}
            ),
            ClientToken=hashlib.sha256(f"{frozen.template_id}\n{described}".encode()).hexdigest()[:64],
        )
        return answer["LaunchTemplateVersion"]["VersionNumber"]


def _description(frozen: Group, image: Image, campaign: str) -> str:
    # Two groups may share a template at different versions: each gets its own successor.
    return f"steadfleet {campaign} {image.id} from version {frozen.template_version}"

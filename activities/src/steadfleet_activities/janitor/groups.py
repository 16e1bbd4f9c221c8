"""Auto Scaling groups, and the launch templates that they launch from."""

from collections.abc import Callable, Iterator, Mapping

from steadfleet_activities.fleet import tags
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import Found, tagged, tags_in
from steadfleet_activities.janitor.scope import Kind, Scope, Thing, isolated

_SERVES = f"it has no tag {tags.DRILL}, so its members are taken to serve"


def look(aws: JanitorAws, scope: Scope, found: Found) -> None:
    """Take a drill's groups only: nothing else makes any, and its members would go with it."""
    for thing in _groups(aws, scope):
        if scope.takes(thing) and not isolated(thing):
            found.spared.append(thing.left(_SERVES))
        else:
            found.take(scope, [thing])
    found.take(scope, _templates(aws, scope))


def deletes(aws: JanitorAws) -> Mapping[Kind, Callable[[Thing], object]]:
    return {
        Kind.AUTO_SCALING_GROUP: lambda thing: aws.autoscaling.delete_auto_scaling_group(
            AutoScalingGroupName=thing.id, ForceDelete=True
        ),
        Kind.LAUNCH_TEMPLATE: lambda thing: aws.ec2.delete_launch_template(LaunchTemplateId=thing.id),
    }


def _groups(aws: JanitorAws, scope: Scope) -> Iterator[Thing]:
    paginator = aws.autoscaling.get_paginator("describe_auto_scaling_groups")
    for answer in paginator.paginate(Filters=tagged(scope)):
        for one in answer["AutoScalingGroups"]:
            name, given = one["AutoScalingGroupName"], tags_in(one.get("Tags", ()))
            # It has a status only from its delete on.
            going = bool(one.get("Status"))
            yield Thing(
                aws.region, Kind.AUTO_SCALING_GROUP, name, name, given, one["CreatedTime"], going=going
            )


def _templates(aws: JanitorAws, scope: Scope) -> Iterator[Thing]:
    for answer in aws.ec2.get_paginator("describe_launch_templates").paginate(Filters=tagged(scope)):
        for one in answer["LaunchTemplates"]:
            yield Thing(
                aws.region,
                Kind.LAUNCH_TEMPLATE,
                one["LaunchTemplateId"],
                one["LaunchTemplateName"],
                tags_in(one.get("Tags", ())),
                one["CreateTime"],
            )

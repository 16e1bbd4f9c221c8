"""Load balancers, their listeners, and the target groups behind them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from steadfleet_activities.fleet.machines import pages
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import Found, tags_in
from steadfleet_activities.janitor.scope import Kind, Scope, Thing

_TAGS_PAGE = 20
"""The most that one call tells the tags of."""


def look(aws: JanitorAws, scope: Scope, found: Found) -> None:
    """Look through all of the region: there is no filter for tags."""
    for balancer in found.take_idle(scope, _balancers(aws)):
        found.things += _listeners(aws, balancer)
    found.take(scope, _target_groups(aws))


def deletes(aws: JanitorAws) -> Mapping[Kind, Callable[[Thing], object]]:
    return {
        Kind.LISTENER: lambda thing: aws.elbv2.delete_listener(ListenerArn=thing.id),
        Kind.LOAD_BALANCER: lambda thing: aws.elbv2.delete_load_balancer(LoadBalancerArn=thing.id),
        Kind.TARGET_GROUP: lambda thing: aws.elbv2.delete_target_group(TargetGroupArn=thing.id),
    }


def _balancers(aws: JanitorAws) -> Iterator[Thing]:
    answers = aws.elbv2.get_paginator("describe_load_balancers").paginate()
    described = {one["LoadBalancerArn"]: one for answer in answers for one in answer["LoadBalancers"]}
    for arn, given in _tags(aws, described):
        one = described[arn]
        made_at = one.get("CreatedTime")
        yield Thing(aws.region, Kind.LOAD_BALANCER, arn, one["LoadBalancerName"], given, made_at)


def _listeners(aws: JanitorAws, balancer: Thing) -> Iterator[Thing]:
    """Yield those of one balancer: they go with it, whether they are tagged or not."""
    answers = aws.elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer.id)
    for one in (listener for answer in answers for listener in answer["Listeners"]):
        name = f"{balancer.name}:{one.get('Port', '')}"
        yield Thing(aws.region, Kind.LISTENER, one["ListenerArn"], name, balancer.tags)


def _target_groups(aws: JanitorAws) -> Iterator[Thing]:
    answers = aws.elbv2.get_paginator("describe_target_groups").paginate()
    names = {
        one["TargetGroupArn"]: one["TargetGroupName"] for answer in answers for one in answer["TargetGroups"]
    }
    for arn, given in _tags(aws, names):
        yield Thing(aws.region, Kind.TARGET_GROUP, arn, names[arn], given)


def _tags(aws: JanitorAws, arns: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for page in pages(sorted(arns), _TAGS_PAGE):
        for one in aws.elbv2.describe_tags(ResourceArns=list(page))["TagDescriptions"]:
            yield one["ResourceArn"], tags_in(one.get("Tags", ()))

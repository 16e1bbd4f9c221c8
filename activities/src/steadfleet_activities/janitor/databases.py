"""Databases of RDS, and what they are made of and in: found by tag, and taken away."""

from collections.abc import Callable, Iterator, Mapping

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import Found, tags_in
from steadfleet_activities.janitor.scope import Kind, Scope, Thing


def look(aws: JanitorAws, scope: Scope, found: Found) -> None:
    """Look through all of the region: RDS has no filter for tags."""
    found.take_idle(scope, _instances(aws))
    found.take(scope, _snapshots(aws))
    found.take(scope, _subnet_groups(aws))


def deletes(aws: JanitorAws) -> Mapping[Kind, Callable[[Thing], object]]:
    return {
        # No last snapshot and no backups that outlive it: they would be residue of their own.
        Kind.DB_INSTANCE: lambda thing: aws.rds.delete_db_instance(
            DBInstanceIdentifier=thing.id, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
        ),
        Kind.DB_SNAPSHOT: lambda thing: aws.rds.delete_db_snapshot(DBSnapshotIdentifier=thing.id),
        Kind.DB_SUBNET_GROUP: lambda thing: aws.rds.delete_db_subnet_group(DBSubnetGroupName=thing.id),
    }


def _instances(aws: JanitorAws) -> Iterator[Thing]:
    for answer in aws.rds.get_paginator("describe_db_instances").paginate():
        for one in answer["DBInstances"]:
            name, going = one["DBInstanceIdentifier"], one.get("DBInstanceStatus") == "deleting"
            given = tags_in(one.get("TagList", ()))
            made_at = one.get("InstanceCreateTime")
            yield Thing(aws.region, Kind.DB_INSTANCE, name, name, given, made_at, going=going)


def _snapshots(aws: JanitorAws) -> Iterator[Thing]:
    """Yield those that outlive their database; automated ones go with it."""
    for answer in aws.rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual"):
        for one in answer["DBSnapshots"]:
            name = one["DBSnapshotIdentifier"]
            given = tags_in(one.get("TagList", ()))
            going = one.get("Status") == "deleting"
            made_at = one.get("SnapshotCreateTime")
            yield Thing(aws.region, Kind.DB_SNAPSHOT, name, name, given, made_at, going=going)


def _subnet_groups(aws: JanitorAws) -> Iterator[Thing]:
    for answer in aws.rds.get_paginator("describe_db_subnet_groups").paginate():
        for one in answer["DBSubnetGroups"]:
            name = one["DBSubnetGroupName"]
            given = _tags_of(aws, one["DBSubnetGroupArn"])
            yield Thing(aws.region, Kind.DB_SUBNET_GROUP, name, name, given)


def _tags_of(aws: JanitorAws, arn: str) -> dict[str, str]:
    """Ask for the tags of what a description does not tell them of; it may have gone meanwhile."""
    try:
        return tags_in(aws.rds.list_tags_for_resource(ResourceName=arn)["TagList"])
    except ClientError as error:
        if "NotFound" not in code_of(error):
            raise
        return {}

"""The subnets that a drill's databases may stand in."""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.aws.ensuring import ensured
from steadfleet_activities.drill.aws.names import named, tags_of
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.image.amis import written_tags
from steadfleet_core.drill.order import Drill


def ensured_subnet_group(aws: DrillAws, drill: Drill, subnets: Sequence[str]) -> str:
    name = named(drill.run)

    def look() -> str | None:
        try:
            answer = aws.rds.describe_db_subnet_groups(DBSubnetGroupName=name)
        except ClientError as error:
            if code_of(error) != "DBSubnetGroupNotFoundFault":
                raise
            return None
        return answer["DBSubnetGroups"][0]["DBSubnetGroupName"]

    def create() -> None:
        aws.once.rds.create_db_subnet_group(
            DBSubnetGroupName=name,
            DBSubnetGroupDescription=f"The network of a drill of {drill.plan.name}",
            SubnetIds=list(subnets),
            Tags=written_tags(tags_of(drill)),
        )

    return ensured("the DB subnet group", look, create)

"""Secrets in SSM's parameters."""

from botocore.exceptions import ClientError

from steadfleet_activities.drill.aws.clients import Regions
from steadfleet_activities.drill.secrets import Parameters
from steadfleet_activities.fleet.errors import code_of
from steadfleet_core.errors import RefusedError


def parameters_of(regions: Regions) -> Parameters:
    def read(region: str, name: str) -> str:
        try:
            answer = regions.at(region).ssm.get_parameter(Name=name, WithDecryption=True)
        except ClientError as error:
            raise RefusedError(
                f"the SSM parameter {name} in {region} cannot be read ({code_of(error)}): expected a secret "
                "in the recovery region; create it there, or grant ssm:GetParameter and the use of its key"
            ) from error
        return answer["Parameter"]["Value"]

    return read

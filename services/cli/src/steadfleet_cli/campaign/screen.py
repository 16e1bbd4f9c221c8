"""The live screen."""

from temporalio.client import Client

from steadfleet_cli.campaign.reading import Standing


async def watch(client: Client, name: str) -> Standing:
    raise NotImplementedError

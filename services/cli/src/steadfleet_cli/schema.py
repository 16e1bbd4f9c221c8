"""`steadfleet schema`: the JSON Schema of what people write."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import json
from importlib import import_module

import click

KINDS = {
    "DrillPlan": "steadfleet_core.drill.plan",
    "GoldenImage": "steadfleet_core.image.golden",
    "PatchPolicy": "steadfleet_core.campaign.policy",
    "TrustPolicy": "steadfleet_signing.trust",
}
"""Every kind that is written, and the module that has its class."""


@click.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.option("--output", type=click.Choice(["json"]), default="json", help="The only form there is.")
def schema(kind: str, output: str) -> None:  # noqa: ARG001  (for scripts that give it to every command)
    """Print the JSON Schema of a contract, for editors and checks."""
    from steadfleet_core.contract import schema_of

    contract = getattr(import_module(KINDS[kind]), kind)
    click.echo(json.dumps(schema_of(contract), indent=2, ensure_ascii=False))

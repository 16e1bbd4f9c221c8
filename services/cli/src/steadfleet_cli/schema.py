"""`steadfleet schema`: the JSON Schema of what people write."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import json

import click


@click.command()
@click.argument("kind", type=click.Choice(["PatchPolicy"]))
@click.option("--output", type=click.Choice(["json"]), default="json", help="The only form there is.")
def schema(kind: str, output: str) -> None:  # noqa: ARG001  (for scripts that give it to every command)
    """Print the JSON Schema of a contract, for editors and checks."""
    from steadfleet_core.contract import KINDS, schema_of

    click.echo(json.dumps(schema_of(KINDS[kind]), indent=2, ensure_ascii=False))

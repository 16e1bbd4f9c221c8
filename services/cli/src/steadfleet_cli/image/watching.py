"""`steadfleet image list`, `show`, `watch` and `sbom`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from pathlib import Path

import click

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.arguments import family_argument, version_argument
from steadfleet_cli.output import output_option, show


@click.command("list")
@click.argument("family", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@output_option
def list_images(family: str | None, limit: int, output: str) -> None:
    """List builds, released images and channels, of one family or of all.

    Builds were reported by themselves and need no worker; which images are released, and where
    channels point, a worker of the service image-build is asked.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.image.listing import look
    from steadfleet_cli.image.listing_text import catalogue_document, catalogue_text

    catalogue = call(lambda client: look(client, family, limit), group="image")
    show(output, catalogue_document(catalogue), catalogue_text(catalogue))


@click.command("show")
@family_argument
@version_argument
@click.option("--log", is_flag=True, help="Print packer's whole log instead.")
@output_option
def show_image(family: str, version: str, *, log: bool, output: str) -> int:
    """Say where a build stands: what is done just now, tests, findings, places, and what can be done.

    Without a worker it shows what Temporal itself knows, says so, and ends with 5.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.image import documents
    from steadfleet_cli.image.reading import read_standing
    from steadfleet_cli.image.status_text import document_of, standing_text

    if log:
        content = call(lambda client: documents.log(client, family, version), group="image")
        text = content.decode(errors="replace")
        show(output, {"log": text}, text.rstrip("\n"))
        return ExitCode.OK
    standing = call(lambda client: read_standing(client, family, version), group="image")
    show(output, document_of(standing), standing_text(standing))
    return ExitCode.UNREACHABLE if standing.silent else ExitCode.OK


@click.command()
@family_argument
@version_argument
@output_option
def watch(family: str, version: str, output: str) -> int:
    """Follow a build until it ends.

    On a terminal: the stages, packer's last line, the places, and the keys r (retry a halted build)
    and q (leave; the build goes on). Elsewhere: one line for each change. With --output json: where it
    stands, at the end.
    """
    from steadfleet_cli.image.following import follow

    return follow(family, version, output)


@click.command()
@family_argument
@version_argument
@click.option(
    "-o", "--to", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file instead."
)
def sbom(family: str, version: str, to: Path | None) -> None:
    """Print the CycloneDX document of an image, as it was stored and signed."""
    from steadfleet_cli.engine import call
    from steadfleet_cli.image import documents

    content = call(lambda client: documents.sbom(client, family, version), group="image")
    if to is None:
        click.echo(content, nl=not content.endswith(b"\n"))
        return
    try:
        to.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{to}: {error.strerror}", ExitCode.USAGE, "give another --to") from error
    click.echo(f"wrote {to}: {len(content):,} bytes")

"""`steadfleet preview which|up|down|sweep`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import os
import shlex
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.output import output_option, show
from steadfleet_cli.preview import own, record
from steadfleet_cli.preview.own import unbiased
from steadfleet_cli.preview.place import CONFIG, PROFILE, Place, PlaceError, Where, choose, refuse_address

if TYPE_CHECKING:
    from temporalio.client import Client

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Result = TypeVar("_Result")
_OF_OTHERS = (
    "TEMPORAL_ADDRESS",
    "TEMPORAL_API_KEY",
    "TEMPORAL_TLS",
    "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_CLIENT_CERT_DATA",
    "TEMPORAL_TLS_CLIENT_KEY_PATH",
    "TEMPORAL_TLS_CLIENT_KEY_DATA",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
    "TEMPORAL_TLS_SERVER_NAME",
    "STEADFLEET_API_KEY_FILE",
)
"""What would win over the profile of a given server."""
_ADVICE = "`steadfleet preview which --help`; deploy/preview/README.md has the order"

change_argument: Callable[[_Command], _Command] = click.argument("change")
previews_option: Callable[[_Command], _Command] = click.option(
    "--previews",
    envvar="STEADFLEET_PREVIEWS",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".previews"),
    show_default=True,
    help="Folder of the previews of this machine, each in its own. [env: STEADFLEET_PREVIEWS]",
)


@click.command()
@change_argument
@output_option
def which(change: str, output: str) -> None:
    """Say which Temporal the preview of CHANGE talks to, and why; touch nothing.

    First, where STEADFLEET_PREVIEW_CONFIG names a file: the server of its profile `preview`, in a
    namespace of the change's own. Refused where it is one of STEADFLEET_PRODUCTION_ADDRESSES.

    Otherwise an engine of the preview's own.

    Production's server only where STEADFLEET_PREVIEW_ON_PRODUCTION says `run preview CHANGE on
    production`; then TEMPORAL_* says where that is. Otherwise TEMPORAL_* is not heard.
    """
    place = _place(change)
    if place.where is not Where.OWN:
        _connection(place)
    _tell(output, place)


@click.command()
@change_argument
@click.option("--keep", default="3d", show_default=True, metavar="TIME", help="How long `sweep` spares it.")
@previews_option
@output_option
def up(change: str, keep: str, previews: Path, output: str) -> None:
    """Bring up the preview of CHANGE, or let it live longer.

    With an engine of its own this is the whole stack of `steadfleet up`. On another's server it is a
    namespace, with search attributes and a day of retention; start the change's workers there.
    """
    place, until = _place(change), datetime.now(UTC) + _duration(keep)
    folder = previews.absolute() / change
    record.refuse_elsewhere(folder, place)
    if place.where is Where.OWN:
        record.write(folder, place, until)
        own.start(folder)
    else:
        from steadfleet_cli.preview import namespaces

        _on(place, lambda client: namespaces.make(client, place.namespace, change, until))
        record.write(folder, place, until)
        (folder / "env").write_text(_environment(place))
    _tell(output, place, env=str(folder / "env"), until=until.isoformat())


@click.command()
@change_argument
@previews_option
@output_option
def down(change: str, previews: Path, output: str) -> None:
    """Tear down the preview of CHANGE, and see that nothing of it is left.

    What is not there is no error: a pipeline may say it twice. Stop the change's workers first where the
    server is another's.
    """
    place, folder, removed = _place(change), previews.absolute() / change, False
    record.refuse_elsewhere(folder, place)
    if place.where is not Where.OWN:
        from steadfleet_cli.preview import namespaces

        removed = _on(place, lambda client: namespaces.remove(client, place.namespace, change))
    removed |= _forget(folder)
    text = f"preview {change} is gone" if removed else f"there was no preview {change}"
    show(output, {"change": change, "removed": removed}, text)


@click.command()
@previews_option
@output_option
def sweep(previews: Path, output: str) -> None:
    """Tear down the previews whose time is over: those that no closing event has ended.

    It looks into the folder of this machine, and, with STEADFLEET_PREVIEW_CONFIG, at that server's
    namespaces. Only what `steadfleet preview up` has marked is removed, never by its name alone.
    """
    now, removed = datetime.now(UTC), set[str]()
    config = os.environ.get(CONFIG)
    if config:
        server = Place("sweep", Where.GIVEN, f"{CONFIG} is set", config)
        removed |= _on(server, lambda client: _sweep(client, now))
    reached = {Where.OWN, Where.GIVEN} if config else {Where.OWN}
    late = record.overdue(previews.absolute(), now)
    for folder, one in late.items():
        if one.where in reached and _forget(folder):
            removed.add(one.change)
    done = sorted(removed)
    show(output, {"removed": done}, f"removed: {', '.join(done)}" if done else "nothing was removed")
    record.refuse_left([one for one in late.values() if one.where not in reached])


def _forget(folder: Path) -> bool:
    """Stop what runs with the folder, and remove it; whether it was a preview's."""
    if record.read(folder) is None:
        return False
    own.stop(folder)
    shutil.rmtree(folder)
    return True


async def _sweep(client: "Client", now: datetime) -> set[str]:
    from steadfleet_cli.preview import namespaces

    late = await namespaces.overdue(client, now)
    for name, change in late.items():
        await namespaces.remove(client, name, change)
    return set(late.values())


def _place(change: str) -> Place:
    try:
        return choose(change, os.environ)
    except PlaceError as error:
        raise CommandError(str(error), ExitCode.REFUSED, _ADVICE) from error


def _connection(place: Place) -> dict[str, Any]:
    """Return what to connect with, when that address may be had."""
    from steadfleet_durable import ConnectionConfigError, connection_config

    # The one namespace that every server has.
    env = _heard(place) | {"TEMPORAL_NAMESPACE": "temporal-system"}
    said: dict[str, Any] = {"env": env}
    if place.config:
        said |= {"config_file": place.config, "profile": PROFILE}
    try:
        refuse_address(place, connection_config(**said)["target_host"], os.environ)
    except (PlaceError, ConnectionConfigError) as error:
        raise CommandError(str(error), ExitCode.REFUSED, _ADVICE) from error
    return said


def _heard(place: Place) -> dict[str, str]:
    """Return the environment; what a runner says of other servers, keys too, is not for a given one."""
    return dict(os.environ) if place.where is Where.PRODUCTION else unbiased()


def _on(place: Place, work: "Callable[[Client], Awaitable[_Result]]") -> _Result:
    from steadfleet_cli.engine import call

    return call(work, group="preview", **_connection(place))


def _environment(place: Place) -> str:
    """Write what the change's workers and commands must be told."""
    said = {"TEMPORAL_NAMESPACE": place.namespace}
    if place.config:
        said |= {"TEMPORAL_CONFIG_FILE": str(Path(place.config).absolute()), "TEMPORAL_PROFILE": PROFILE}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in said.items()]
    return "\n".join([f"unset {' '.join(_OF_OTHERS)}", *lines] if place.config else lines) + "\n"


def _duration(text: str) -> timedelta:
    from steadfleet_core.model import parse_duration

    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise click.UsageError(f"--keep {text}: {error}") from error
    return duration if isinstance(duration, timedelta) else timedelta(0)


def _tell(output: str, place: Place, **more: str) -> None:
    document = {
        "change": place.change,
        "where": place.where.value,
        "because": place.because,
        "namespace": place.namespace,
        **more,
    }
    lines = [f"{name:<9}  {value}" for name, value in document.items()]
    show(output, document, "\n".join(lines))

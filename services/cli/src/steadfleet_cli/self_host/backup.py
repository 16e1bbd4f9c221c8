"""Dump both databases of a running engine, and read the dumps back."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from steadfleet_cli.self_host.installation import Installation, SelfHostError
from steadfleet_cli.self_host.manifest import FILE, Dump, Manifest, digest, now
from steadfleet_cli.self_host.postgresql import PostgreSql

_SCHEMA_VERSION = "select curr_version from schema_version where version_partition = 0"
_MUST_HOLD = {
    "default": "TABLE DATA public executions ",
    "visibility": "TABLE DATA public executions_visibility ",
}


def back_up(installation: Installation, folder: Path, server: str) -> Manifest:
    """
    Put both dumps and their manifest into a new folder, whole or not at all; overwrite nothing.

    They begin side by side: what is searched would otherwise lag behind what has happened.
    """
    if folder.exists():
        raise SelfHostError(f"{folder} is there already: a backup overwrites nothing; name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        manifest = _fill(scratch, installation, server)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return manifest


def _fill(folder: Path, installation: Installation, server: str) -> Manifest:
    postgresql, databases, made_at = PostgreSql(installation), installation.databases, now()
    files = {"default": folder / "temporal.dump", "visibility": folder / "temporal_visibility.dump"}
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(postgresql.dump, databases.all, files.values()))
    dumps = {
        kind: _described(postgresql, database, kind, file)
        for (kind, file), database in zip(files.items(), databases.all, strict=True)
    }
    manifest = Manifest(
        made_at=made_at,
        postgresql=postgresql.version(),
        server=server,
        steadfleet=version("steadfleet-cli"),
        **dumps,
    )
    (folder / FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


def _described(postgresql: PostgreSql, database: str, kind: str, file: Path) -> Dump:
    if _MUST_HOLD[kind] not in postgresql.contents(file):
        raise SelfHostError(
            f"the dump of database {database} holds no {_MUST_HOLD[kind].split()[-1]}: it is no database of"
            " Temporal's, or it was not set up"
        )
    return Dump(
        file=file.name,
        sha256=digest(file),
        size=file.stat().st_size,
        database=database,
        owner=postgresql.owner(database),
        schema_version=postgresql.ask(database, _SCHEMA_VERSION),
    )

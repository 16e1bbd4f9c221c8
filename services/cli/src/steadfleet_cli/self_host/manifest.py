"""What a backup says of itself, beside its dumps."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from steadfleet_cli.self_host.installation import PLAIN_NAME, SelfHostError

FILE = "manifest.json"
PlainName = Annotated[str, StringConstraints(pattern=PLAIN_NAME)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dump(_Model):
    """One database: its file, and what must be found in it."""

    file: str
    sha256: str
    size: int
    database: PlainName
    owner: PlainName
    schema_version: str


class Manifest(_Model):
    format: Literal[1] = 1
    made_at: AwareDatetime
    postgresql: str
    server: str
    steadfleet: str
    default: Dump
    visibility: Dump

    @property
    def dumps(self) -> tuple[Dump, Dump]:
        return self.default, self.visibility


def read_manifest(folder: Path) -> Manifest:
    """Read it, and hold the dumps beside it against their digests."""
    try:
        manifest = Manifest.model_validate_json((folder / FILE).read_bytes())
    except OSError as error:
        raise SelfHostError(
            f"{folder} is no backup: {FILE}: {error.strerror}; name a folder that"
            " `steadfleet self-host backup` made whole"
        ) from error
    except ValidationError as error:
        raise SelfHostError(f"{folder / FILE} is no manifest of a backup: {error}") from error
    for dump in manifest.dumps:
        if not (folder / dump.file).is_file():
            raise SelfHostError(f"{folder / dump.file} is missing: the backup is not whole; take another one")
        if (found := digest(folder / dump.file)) != dump.sha256:
            raise SelfHostError(
                f"{folder / dump.file} has the digest {found}, its manifest says {dump.sha256}: it was"
                " changed since it was made; take another backup"
            )
    return manifest


def digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

"""Where this system installs its packages from: apt's own configuration, in both of its forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_ONE_LINE = re.compile(
    r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)$"
)
_POCKETS = ("", "-updates", "-security")


@dataclass(frozen=True)
class Source:
    """One suite of one archive."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    def serves(self, release: str) -> bool:
        """Whether it is the release's own archive, its updates or its security updates."""
        return self.suite in {release + pocket for pocket in _POCKETS} and "main" in self.components

    @property
    def line(self) -> str:
        """As apt's one-line form, for the main component alone."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} main"


def read_sources(folder: Path) -> list[Source]:
    """Read `sources.list` and `sources.list.d` below apt's configuration folder."""
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    found = [source for one in lists if one.is_file() for source in _one_line_form(one.read_text())]
    for stanzas in sorted((folder / "sources.list.d").glob("*.sources")):
        found += _stanza_form(stanzas.read_text())
    return list(dict.fromkeys(found))


def _one_line_form(content: str) -> list[Source]:
    sources = []
    for line in content.splitlines():
        if found := _ONE_LINE.match(line.partition("#")[0].strip()):
            options = dict(
                option.split("=", 1) for option in (found["options"] or "").split() if "=" in option
            )
            components = tuple(found["components"].split())
            sources.append(Source(found["uri"], found["suite"], components, options.get("signed-by", "")))
    return sources


def _stanza_form(content: str) -> list[Source]:
    sources = []
    for stanza in re.split(r"\n\s*\n", content):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        key = fields.get("signed-by", "")
        sources += [
            Source(
                uri, suite, tuple(fields.get("components", "").split()), key if key.startswith("/") else ""
            )
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return sources


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += f"\n{line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields

"""The markup of a drill's page: escaped by default, and well-formed as XML too."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from html import escape
from itertools import compress

from steadfleet_cli.output import clock
from steadfleet_core.drill.verdict import Verdict
from steadfleet_core.model import format_duration

# Neither HTML nor XML can hold control characters, and those that turn the direction of writing
# let a page show another word than it holds: an auditor reads their codes instead.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)

MARKS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.NOT_PROVEN: "?"}
"""A shape for each verdict: nobody has to tell them apart by colour."""


class Html(str):
    """Markup that is escaped already."""

    __slots__ = ()


def text(words: object) -> Html:
    """Escape what came from outside; markup stays as it is."""
    if isinstance(words, Html):
        return words
    return Html(escape(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(words))))


def joined(separator: str, parts: Iterable[object]) -> Html:
    return Html(separator.join(text(part) for part in parts if part))


def element(tag: str, words: object = "", **attributes: object) -> Html:
    """Write an element; `class_` is the attribute `class`, and `stroke_width` is `stroke-width`."""
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value)}"' for name, value in attributes.items()
    )
    return Html(f"<{tag}{named}>{text(words)}</{tag}>")


_SHORT = 16
"""Letters that a cell keeps on one line: a time or a state is hard to read when it is broken."""


def _cell(words: object) -> Html:
    short = not isinstance(words, Html) and len(str(words)) <= _SHORT
    return element("td", words, class_="short") if short else element("td", words)


def table(heading: Iterable[str], rows: Iterable[Iterable[object]], **attributes: object) -> Html:
    """Write a table; columns in which nobody has anything to say are left out."""
    known = list(map(tuple, rows))
    used = [any(cell != "" for cell in column) for column in zip(*known, strict=True)]
    heading, rows = compress(heading, used), [tuple(compress(row, used)) for row in known]
    head = joined("", (element("th", cell, scope="col") for cell in heading))
    body = joined("\n", (element("tr", joined("", map(_cell, row))) for row in rows))
    top = element("thead", element("tr", head)) if head else ""
    return element("table", joined("\n", (top, element("tbody", body))), **attributes)


def facts(rows: Mapping[str, object]) -> Html:
    """Write names and what they are; those without a value are left out."""
    known = {name: value for name, value in rows.items() if value not in {"", None}}
    lines = (
        element("tr", joined("", (element("th", name, scope="row"), element("td", value))))
        for name, value in known.items()
    )
    return element("table", element("tbody", joined("\n", lines)), class_="facts")


def listed(sentences: Iterable[object]) -> Html:
    items = joined("\n", (element("li", sentence) for sentence in sentences))
    return element("ul", items) if items else Html()


def section(title: str, *parts: object, anchor: str) -> Html:
    """Write a section, or nothing where it has nothing to say."""
    body = joined("\n", parts)
    return element("section", joined("\n", (element("h2", title), body)), id=anchor) if body else Html()


def verdict_mark(verdict: Verdict | None) -> Html:
    if verdict is None:
        return element("span", "- not judged", class_="verdict none")
    return element("span", f"{MARKS[verdict]} {verdict}", class_=f"verdict {verdict.name.lower()}")


def marked(verdict: Verdict | None, words: str) -> Html:
    """Write the mark, and the words where they say more."""
    more = element("strong", words) if verdict is None or words != verdict.value else ""
    return joined(" ", (verdict_mark(verdict), more))


def pairs(known: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in known.items())


def took(time: timedelta | None) -> str:
    """Write a duration to a tenth of a second."""
    if time is None:
        return "-"
    sign = "-" if time < timedelta(0) else ""
    return sign + format_duration(timedelta(seconds=round(abs(time.total_seconds()), 1)))


def moment(at: datetime | None, declared_at: datetime | None = None) -> str:
    """Write a time, and how far it is from the declared start."""
    if at is None:
        return "-"
    return f"{clock(at)} ({offset(at - declared_at)})" if declared_at else clock(at)


def offset(time: timedelta) -> str:
    return took(time) if time < timedelta(0) else f"+{took(time)}"

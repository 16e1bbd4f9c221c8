"""Which metrics a PromQL expression names: what stands outside of labels, functions and words."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

OBSERVABILITY = Path(__file__).parents[3] / "deploy" / "observability"
RULES = OBSERVABILITY / "rules" / "steadfleet.yaml"
_SELECTOR = re.compile(r"\{[^}]*\}|\[[^]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)")
_NAME = re.compile(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "offset", "by", "bool"}
_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def metrics_in(expr: str) -> set[str]:
    """Name them as Prometheus types them: a histogram without its parts' suffixes."""
    bare = _GROUPING.sub(" ", _SELECTOR.sub(" ", expr))
    found = {name for name in _NAME.findall(bare) if name not in _WORDS}
    return {_HISTOGRAM.sub("", name) if name.endswith("_bucket") else name for name in found}


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def asked() -> Iterator[tuple[str, str]]:
    """Yield every metric that an alert or a panel needs, and who needs it."""
    for name, rule in alerts().items():
        for metric in sorted(metrics_in(rule["expr"])):
            yield metric, f"alert {name}"
    for file in sorted((OBSERVABILITY / "dashboards").glob("*.json")):
        page = json.loads(file.read_text())
        for panel in page["panels"]:
            for target in panel.get("targets", ()):
                for metric in sorted(metrics_in(target["expr"])):
                    yield metric, f"{file.name}: {panel['title']}"


def exported(scrape: str) -> set[str]:
    """Name what a scrape types, and has a sample of."""
    return set(re.findall(r"^# TYPE (\S+) ", scrape, re.MULTILINE))


def missing(scrapes: str, *, elsewhere: frozenset[str] = frozenset()) -> list[str]:
    """Say which metric nobody exports, and who asks for it."""
    there = exported(scrapes) | elsewhere
    return [f"{who} asks for {metric}" for metric, who in asked() if metric not in there]

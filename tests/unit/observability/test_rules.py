"""The alerts: each is proven by promtool to fire and to be silent, and leads to what to do."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.observability.promql import RULES, alerts, metrics_in

REPOSITORY = Path(__file__).parents[3]
TESTS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and not os.environ.get("CI"),
    reason="missing: promtool (Debian's package `prometheus`)",
)


def promtool(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    assert PROMTOOL is not None, "promtool is missing: install Debian's package `prometheus`"
    return subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False, timeout=60)


def expectations() -> list[dict[str, Any]]:
    tests = [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    return [one for test in tests for one in test["alert_rule_test"]]


@needs_promtool
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_each_alert_fires_when_it_must_and_not_before(file: Path) -> None:
    ran = promtool("test", "rules", file)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_promtool
@pytest.mark.parametrize("name", alerts())
def test_an_alert_that_never_fires_is_noticed(name: str, tmp_path: Path) -> None:
    rules = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule["alert"] == name:
                rule["expr"] = "vector(0) > 1"
    planted = tmp_path / "rules.yaml"
    planted.write_text(yaml.safe_dump(rules))
    tests = [
        shutil.copy(file, tmp_path / file.name) for file in TESTS if f"alertname: {name}" in file.read_text()
    ]
    for test in tests:
        copied = Path(test)
        copied.write_text(re.sub(r"rule_files: \[.*\]", f"rule_files: [{planted}]", copied.read_text()))

    assert promtool("test", "rules", *tests).returncode != 0


@pytest.mark.parametrize("name", alerts())
def test_each_alert_has_a_test_in_which_it_fires_and_is_kept_down_by_a_time_or_a_bound(name: str) -> None:
    assert any(one["alertname"] == name and one["exp_alerts"] for one in expectations())


@pytest.mark.parametrize("name", alerts())
def test_each_alert_says_how_bad_it_is_and_where_its_runbook_is(name: str) -> None:
    rule = alerts()[name]
    file, _, heading = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (REPOSITORY / file).read_text(), re.MULTILINE)

    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert heading in {_anchor(one) for one in headings}


@pytest.mark.parametrize(
    ("expr", "metrics"),
    [
        ('max by (a) (up{b="c"}) > 0', {"up"}),
        ("sum(rate(x_total[5m])) or y_total unless y_total offset 1h", {"x_total", "y_total"}),
        ("histogram_quantile(0.95, sum by (le) (rate(t_seconds_bucket[5m])))", {"t_seconds"}),
        ('absent(z{watch="engine"})', {"z"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expr: str, metrics: set[str]) -> None:
    assert metrics_in(expr) == metrics


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")

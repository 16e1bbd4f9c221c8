"""The dashboards in the repository are those that the code writes."""

import subprocess
import sys
from pathlib import Path

from unit.observability.promql import OBSERVABILITY, asked, missing

DASHBOARDS = OBSERVABILITY / "dashboards"


def test_they_are_what_the_code_writes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, OBSERVABILITY / "dashboards.py", tmp_path], check=True, capture_output=True
    )

    made = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert made == {file.name: file.read_text() for file in DASHBOARDS.iterdir()}


def test_an_alert_or_a_panel_on_a_metric_that_nobody_exports_is_noticed() -> None:
    all_but_one = {metric for metric, _ in asked()} - {"steadfleet_runs"}
    scrape = "\n".join(f"# TYPE {metric} gauge" for metric in all_but_one)

    assert [who for who in missing(scrape) if "CampaignHalted" in who] == [
        "alert CampaignHalted asks for steadfleet_runs"
    ]
    assert missing(scrape, elsewhere=frozenset({"steadfleet_runs"})) == []

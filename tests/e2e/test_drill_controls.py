"""Drills as a person tries them on one machine: the demo."""

import re

import pytest
from e2e.test_demo import REPOSITORY, WITHIN, demo, left_behind

SCRIPT = "examples/demo_drill.py"


@pytest.mark.slow
@pytest.mark.timeout(WITHIN + 60)
def test_the_demo_of_a_drill_ends_with_its_verdicts_and_leaves_the_report_alone() -> None:
    with demo(script=SCRIPT) as (process, mark):
        said, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 0, said
    assert "isolation  not proven  production is reached from inside: " in said
    assert re.search(r"data +passed +orders lost [1-9]\d* of \d+ acknowledged writes", said)
    assert re.search(r"as it must be, in \d+ s", said)
    page = re.search(r"on one page: (\S+)", said)
    assert page
    assert "isolation not proven" in (REPOSITORY / page[1]).read_text()
    assert left_behind(mark) == []
    assert not (REPOSITORY / ".run" / f"demo-drill-{process.pid}").exists()

"""The judging of the negative controls: one that is missed is noticed, and so is a false alarm."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from click.testing import CliRunner

from steadfleet_cli.drill import controls as commands
from steadfleet_cli.exits import ExitCode
from steadfleet_cli.main import steadfleet
from steadfleet_core.drill.plan import Mode, Objectives, Strategy
from steadfleet_core.drill.report import DrillReport, DrillState, DrillStatus
from steadfleet_core.drill.verdict import Judged, Judgement, Verdict
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_dr_drill.main import main
from steadfleet_dr_drill.rehearsal.catalogue import CATALOGUE, Healthy
from steadfleet_dr_drill.rehearsal.command import document, text
from steadfleet_dr_drill.rehearsal.control import Control, Wanted, judge, missed
from steadfleet_dr_drill.rehearsal.ledgers import kept_besides
from steadfleet_dr_drill.rehearsal.local_cloud import LocalCloud
from steadfleet_dr_drill.rehearsal.production import Production
from steadfleet_dr_drill.rehearsal.scene import Scene

NOW = datetime(2027, 1, 30, 2, 30, tzinfo=UTC)
PASSED, FAILED, NOT_PROVEN = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_PROVEN


class Dropped(Control):
    name = "dropped"
    planted = "a table was dropped"
    wanted: ClassVar[Mapping[str, Wanted]] = {"data": Wanted(FAILED, ("does not exist",))}


def report(**verdicts: Judged) -> DrillReport:
    """Return what a drill says on one machine: all green but isolation, and what is given."""
    green = {part: Judged(verdict=PASSED, reasons=("good",)) for part in ("recovery", "data", "cleanup")}
    isolation = Judged(verdict=NOT_PROVEN, reasons=("nothing to probe from",))
    judgement = Judgement(**{**green, "isolation": isolation, **verdicts})
    status = DrillStatus(
        plan="controls",
        mode=Mode.DRILL,
        strategy=Strategy.PILOT_LIGHT,
        state=DrillState.NOT_PROVEN,
        order=digest_of(b"order"),
        run="drill-controls-1",
        region="eu-central-1",
        objectives=Objectives(rto=timedelta(minutes=1), rpo=timedelta(minutes=1)),
        started_at=NOW,
        judgement=judgement,
    )
    return DrillReport(status=status, ended_at=NOW)


def red(*reasons: str, verdict: Verdict = FAILED) -> Judged:
    return Judged(verdict=verdict, reasons=reasons)


def test_harm_that_makes_its_verdict_red_for_its_reason_is_caught() -> None:
    found = judge(Dropped, report(data=red("another", 'relation "orders" does not exist')))

    assert found.caught, found.problem
    assert found.verdict == "data failed"
    assert found.reason == 'relation "orders" does not exist'


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({}, "data is passed, expected failed"),
        ({"data": red("does not exist", verdict=NOT_PROVEN)}, "data is not proven, expected failed"),
        ({"data": red("it was Tuesday")}, "data says nothing of 'does not exist': it was Tuesday"),
        (
            {"data": red("does not exist"), "recovery": red("too")},
            "recovery is failed, expected passed",
        ),
        (
            {"data": red("does not exist"), "isolation": Judged(verdict=PASSED, reasons=("none open",))},
            "isolation is passed, expected not proven",
        ),
    ],
    ids=["green", "not proven", "for another reason", "a false alarm besides", "green that cannot be"],
)
def test_a_control_is_missed_when_a_verdict_is_other_than_it_must_be(
    verdicts: dict[str, Judged], said: str
) -> None:
    found = judge(Dropped, report(**verdicts))

    assert not found.caught
    assert said in found.problem


def test_what_the_control_itself_found_makes_it_missed() -> None:
    found = judge(Dropped, report(data=red("does not exist")), ["the lease has ended"])

    assert (found.caught, found.problem) == (False, "the lease has ended")


def test_the_healthy_control_is_missed_when_anything_is_red() -> None:
    assert judge(Healthy, report()).caught
    assert not judge(Healthy, report(cleanup=red("left behind"))).caught


def test_a_missed_control_stands_in_the_table_with_its_problem() -> None:
    found = [judge(Dropped, report(data=red("does not exist"))), missed(Healthy, "no worker answers")]

    said = text(found)

    assert "caught  does not exist" in said
    assert "MISSED healthy: no worker answers" in said
    assert "1 of 2 caught" in said
    assert yaml.safe_load(document(found))["caught"] is False


def scene() -> Scene:
    cloud = LocalCloud("http://127.0.0.1:4566")
    production = Production(cloud, "controls-0123ab")
    production.endpoint = {"Address": "127.0.0.1", "Port": 5432}
    unused: Any = None
    return Scene(unused, cloud, production, witness=1, right="ami-1", fixed="ami-2", wrong="ami-3")


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_control_has_a_plan_that_can_be_read_and_names_nothing_but_its_own(name: str) -> None:
    place = scene()

    plan = place.plan(name, CATALOGUE[name](place).plan())

    assert plan.name == f"controls-0123ab-{name}"
    assert {store.id for store in plan.spec.stores if store.type == "rds"} <= {"controls-0123ab-orders"}


def test_the_command_line_knows_every_control_without_loading_what_they_need() -> None:
    assert tuple(CATALOGUE) == commands.NAMES


@pytest.mark.parametrize("endpoint", ["", "https://rds.eu-west-1.amazonaws.com", "http://127.0.0.1:1"])
def test_any_cloud_but_a_local_one_is_refused(endpoint: str) -> None:
    with pytest.raises(RefusedError, match="is no local cloud: expected that of a running"):
        LocalCloud.of_environment({"AWS_ENDPOINT_URL": endpoint})


def test_the_program_refuses_before_anything_is_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    ledgers = tmp_path / "ledgers.yaml"

    ended = CliRunner().invoke(main, ["controls", "--ledgers", str(ledgers), "--witness", "1"])

    assert ended.exit_code == ExitCode.REFUSED
    assert "AWS itself is no local cloud" in ended.output
    assert not ledgers.exists()


def test_without_a_stack_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert steadfleet.answer(["drill", "controls", "--run-dir", str(tmp_path)]) == ExitCode.REFUSED

    said = capsys.readouterr().err
    assert "engine, cloud, driller, witness, janitor missing" in said
    assert "`steadfleet up` first" in said


def test_the_ledgers_file_is_as_it_was_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "ledgers.yaml"
    file.write_text("ledgers: [] # none yet\n")

    with kept_besides(file, {"name": "ours"}):
        assert yaml.safe_load(file.read_text()) == {"ledgers": [{"name": "ours"}]}

    assert file.read_text() == "ledgers: [] # none yet\n"


def test_what_somebody_wrote_into_the_ledgers_file_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "ledgers.yaml"
    file.write_text("ledgers: []\n")

    with kept_besides(file, {"name": "ours"}):
        file.write_text("ledgers: [{name: ours}, {name: theirs}]\n")

    assert yaml.safe_load(file.read_text()) == {"ledgers": [{"name": "theirs"}]}

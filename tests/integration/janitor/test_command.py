"""`steadfleet-janitor sweep` as a person runs it: no Temporal, a table, a question, an exit code."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from integration.janitor.drills import DRILL_RUN, Recovery
from integration.janitor.residue import HOME, NAME, OTHER, RUN, Site

COMMAND = Path(sys.executable).with_name("steadfleet-janitor")
EXPIRED = timedelta(hours=-1)


def run(site: Site, *args: str, command: Path = COMMAND, **env: str) -> "subprocess.CompletedProcess[str]":
    settings = site.cloud.client_settings
    said = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": str(settings["endpoint_url"]),
        "AWS_REGION": HOME,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Nothing listens there: a command that asked Temporal would fail.
        "TEMPORAL_ADDRESS": "127.0.0.1:9",
    }
    return subprocess.run(
        [str(command), "sweep", *args],
        env={**said, **env},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


def test_a_dry_run_shows_what_expired_and_deletes_nothing(site: Site) -> None:
    site.plant(expires_in=EXPIRED)
    before = site.holdings()

    ran = run(site, "--dry-run")

    assert ran.returncode == 6
    assert ran.stdout.split()[:4] == ["region", "type", "id", "name"]
    assert f"{NAME}-key" in ran.stdout
    assert site.holdings() == before


def test_yes_deletes_what_expired_and_says_so(site: Site, other: Site) -> None:
    other.plant(expires_in=EXPIRED)
    living = site.volume({"steadfleet:expires-at": "2100-01-01T00:00:00+00:00"})

    ran = run(site, "--yes", "--region", HOME, "--region", OTHER)

    assert ran.returncode == 0, ran.stderr
    assert "removed instance i-" in ran.stdout
    assert other.holdings()["instances"] == []
    assert living in site.holdings()["volumes"]


def test_a_run_goes_whole_with_what_is_known_by_name_only(site: Site) -> None:
    before = site.holdings()
    site.plant()

    ran = run(site, "--run", RUN, "--name", NAME, "--yes", "--output", "json")

    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["left"] == []
    assert {one["type"] for one in said["removed"]} >= {"instance", "image", "snapshot"}
    assert site.holdings() == before


def test_what_a_drill_left_is_shown_by_its_type_and_goes(site: Site) -> None:
    recovery = Recovery(HOME, site.cloud.client_settings)
    before = recovery.holdings()
    recovery.plant_names_and_network()

    shown = run(site, "--run", DRILL_RUN, "--dry-run")
    ran = run(site, "--run", DRILL_RUN, "--yes", "--output", "json")

    assert shown.returncode == 6
    for type_ in ("VPC", "subnet", "route table", "internet gateway", "security group", "hosted zone"):
        assert f"  {type_}  " in shown.stdout
    assert (ran.returncode, json.loads(ran.stdout)["left"]) == (0, [])
    assert recovery.holdings() == before


def test_nothing_left_is_said_and_is_success(site: Site) -> None:
    ran = run(site)

    assert (ran.returncode, ran.stdout) == (0, "nothing is left\n")


def test_the_command_line_hands_over_to_the_same_script(site: Site) -> None:
    before = site.holdings()
    site.plant()

    said = ("--run", RUN, "--name", NAME, "--yes", "--output", "json")
    ran = run(site, *said, command=COMMAND.with_name("steadfleet"))

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["left"] == []
    assert site.holdings() == before


def test_without_a_person_it_does_not_delete(site: Site) -> None:
    site.plant(expires_in=EXPIRED)
    before = site.holdings()

    ran = run(site)

    assert ran.returncode == 3
    assert (
        ran.stderr == "error: nobody is there to ask\nnext: say --yes to delete, or --dry-run to look only\n"
    )
    assert site.holdings() == before


def test_an_error_is_a_document_on_request(site: Site) -> None:
    site.plant(expires_in=EXPIRED)

    ran = run(site, "--output", "json")

    assert ran.returncode == 3
    assert json.loads(ran.stderr)["error"] == "nobody is there to ask"


def test_a_region_that_does_not_answer_is_not_called_clean(site: Site) -> None:
    site.cloud.faults.add("error", action="DescribeInstances")

    ran = run(site, "--dry-run")

    assert ran.returncode == 5
    assert "region" in ran.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--run", "r", "--expired-before", "2026-01-01"), "leave out --expired-before"),
        (("--name", "n"), "--name needs --run"),
        (("--expired-before", "soon"), "'soon' is no time"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(site: Site, args: tuple[str, ...], said: str) -> None:
    ran = run(site, *args)

    assert ran.returncode == 2
    assert said in ran.stderr


def test_without_a_region_it_says_what_to_set(site: Site) -> None:
    ran = run(site, AWS_REGION="")

    assert ran.returncode == 3
    assert "no AWS region is set" in ran.stderr

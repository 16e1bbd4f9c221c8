"""The three workflows over the self-hosted engine, by the commands that a person types."""

import json
from pathlib import Path

import boto3
import demo
import demo_drill
import pytest
from chaos.images.machine import missing
from self_host.commands import commands
from self_host.native import NativeEngine

from receipt import Receipt, count_receipt
from stage import ask, run
from steadfleet_core.drill.report import DrillReport

pytestmark = [pytest.mark.self_host, pytest.mark.timeout(1500)]


def test_a_campaign_changes_each_host_once(engine: NativeEngine, tmp_path: Path) -> None:
    with commands(engine, tmp_path, "worker", "janitor") as env:
        images = {one: demo.register(one, demo.RELEASES[one], env) for one in ("1.0.0", "2.0.0")}
        size = ("--size", str(demo.HOSTS))
        run("local-cloud", "fleet", "create", "web", "--image", images["1.0.0"], *size, env=env, quiet=True)
        demo.await_fleet(env)
        before, mark = ask("inventory", env), ask("record", env)[-1]["seq"]
        demo.good_release(env, signed=False)
        receipt = count_receipt(ask(f"record?since={mark}", env), before, ask("inventory", env))

    assert receipt == Receipt(changed=demo.HOSTS, failed=0, restored=0, doubles=(), residue=())


def test_a_drill_ends_with_its_verdicts_and_its_report_lies_in_the_object_store(
    engine: NativeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_drill, "RUN_DIR", tmp_path)
    monkeypatch.setattr(demo_drill, "PAGE", tmp_path / "report.html")
    with commands(engine, tmp_path, "driller", "witness", "janitor") as env:
        demo_drill.make_production(env)
        report = demo_drill.rehearse(env)
        demo_drill.tell(report)
        account = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        bucket = account.client("s3", endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_REGION"])
        [stored] = bucket.list_objects_v2(Bucket="steadfleet-plans", Prefix="drills/shop/")["Contents"]
        kept = bucket.get_object(Bucket="steadfleet-plans", Key=stored["Key"])["Body"].read()

    assert DrillReport.model_validate_json(kept).status.judgement
    assert json.loads(kept)["status"]["judgement"] == report["status"]["judgement"]


@pytest.mark.docker
def test_an_image_is_built_tried_signed_and_published(engine: NativeEngine, tmp_path: Path) -> None:
    if lacking := demo.missing_for_images():
        missing(", ".join(lacking))
    with commands(engine, tmp_path, "builder", "signer", "janitor", machines="docker") as env:
        demo.golden_image(env)

"""One trace from the command to the cloud call: real workers, a receiver, and a worker that died."""

from dataclasses import replace

import pytest
from integration.observability.collector import LOST, Collector
from integration.observability.conftest import HOSTS, Watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DOWN = [
    "EC2.RunInstances",
    "RunActivity:change_host",
    "StartActivity:change_host",
    "RunWorkflow:PatchShard",
    "StartChildWorkflow:PatchShard",
    "RunWorkflow:PatchWave",
    "StartChildWorkflow:PatchWave",
    "RunWorkflow:PatchCampaign",
    "StartWorkflow:PatchCampaign",
    "campaign start",
]


@pytest.fixture
def collector(watched: Watched) -> Collector:
    watched.collector.wait_for("RunWorkflow:PatchCampaign")
    return watched.collector


def test_a_launch_lies_under_the_command_that_asked_for_it(collector: Collector) -> None:
    launches = collector.wait_for("EC2.RunInstances", HOSTS)

    assert DOWN in [collector.ancestry(launch) for launch in launches]
    assert {launch.service for launch in launches} == {"steadfleet-patch-campaign"}
    assert collector.named("campaign start")[0].service == "campaign"


def test_a_worker_that_dies_does_not_break_the_trace(collector: Collector) -> None:
    (campaign,) = collector.named("RunWorkflow:PatchCampaign")
    launches = [span for span in collector.named("EC2.RunInstances") if span.trace == campaign.trace]

    ancestries = [collector.ancestry(launch) for launch in launches]
    # What was under way when the worker died has not ended, and nobody else can tell of it.
    died = [one for one in ancestries if one == [DOWN[0], LOST]]

    assert len(launches) >= HOSTS
    assert len(died) < HOSTS
    assert all(one == DOWN for one in ancestries if one not in died)


def test_only_the_task_that_a_worker_died_in_sends_its_spans_again(collector: Collector) -> None:
    """Every task is a replay here: spans that did not mind would come once a task, dozens of times."""
    (campaign,) = collector.named("RunWorkflow:PatchCampaign")
    ours = replace(collector, spans=[span for span in collector.spans if span.trace == campaign.trace])

    assert ours.most_often() <= 2
    assert ours.each("RunWorkflow:PatchWave") == 2
    assert ours.each("StartActivity:change_host") == HOSTS


def test_a_cloud_call_tells_where_and_how_it_ended_and_nothing_that_was_said(collector: Collector) -> None:
    told = collector.named("EC2.RunInstances")[0].attributes

    assert set(told) == {
        "rpc.system",
        "rpc.service",
        "rpc.method",
        "cloud.region",
        "http.response.status_code",
        "http.request.resend_count",
        "aws.request_id",
    }
    assert "eu-west-1" in told["cloud.region"]

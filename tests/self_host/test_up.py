"""The compose file, brought up once as `make self-host` does, with the local cloud in AWS's place."""

import json
import time

import pytest
from self_host.composed import STAYING, SelfHost

from steadfleet_cli.self_host.compose import WORKERS

pytestmark = [pytest.mark.composed, pytest.mark.self_host, pytest.mark.timeout(1800)]


def test_everything_becomes_healthy_and_the_jobs_end_well(self_host: SelfHost) -> None:
    services = self_host.services()
    assert {name for name, one in services.items() if one["Health"] == "healthy"} == STAYING
    ended = {name: one["ExitCode"] for name, one in services.items() if one["State"] == "exited"}
    assert ended == {"schema": 0, "namespace": 0, "buckets": 0}


def test_a_second_up_changes_nothing(self_host: SelfHost) -> None:
    before = {name: one["ID"] for name, one in self_host.services().items() if name in STAYING}
    assert self_host.run("up").returncode == 0
    assert {name: one["ID"] for name, one in self_host.services().items() if name in STAYING} == before


def test_only_two_ports_are_published_and_on_loopback(self_host: SelfHost) -> None:
    published = {
        (publisher["URL"], publisher["PublishedPort"])
        for one in self_host.services().values()
        for publisher in one["Publishers"] or []
        if publisher["PublishedPort"]
    }
    assert published == {("127.0.0.1", self_host.engine_port), ("127.0.0.1", self_host.proxy_port)}


def test_the_namespace_has_its_retention_and_every_search_attribute(self_host: SelfHost) -> None:
    described = self_host.temporal("viewer", "operator", "namespace", "describe", "-n", "steadfleet")
    assert "720h" in described.stdout, described.stderr
    listed = self_host.temporal("admin", "operator", "search-attribute", "list")
    assert listed.stdout.count("Sf") == 9, listed.stderr


def test_an_operator_may_start_and_a_viewer_may_only_look(self_host: SelfHost) -> None:
    start = ("workflow", "start", "--type", "None", "--task-queue", "nobody", "--workflow-id", "by-a-person")
    refused = self_host.temporal("viewer", *start)
    assert refused.returncode != 0
    assert "unauthorized" in refused.stderr.lower()
    assert self_host.temporal("operator", *start).returncode == 0
    assert self_host.temporal("viewer", "workflow", "describe", "-w", "by-a-person").returncode == 0


@pytest.mark.parametrize("path", ["/", "/api/v1/namespaces", "/prometheus/", "/codec/decode"])
def test_nobody_passes_the_proxy_without_a_password(self_host: SelfHost, path: str) -> None:
    assert self_host.page(path)[0] == 401


def test_the_web_ui_shows_what_the_persons_own_role_may_see(self_host: SelfHost) -> None:
    status, page = self_host.page("/", "viewer")
    assert (status, "<html" in page) == (200, True)
    assert self_host.page("/api/v1/namespaces/steadfleet/workflows", "viewer")[0] == 200
    terminate = "/api/v1/namespaces/steadfleet/workflows/by-a-person/terminate"
    assert self_host.page(terminate, "viewer", "POST")[0] == 403


def test_another_site_cannot_make_a_browser_terminate(self_host: SelfHost) -> None:
    terminate = "/api/v1/namespaces/steadfleet/workflows/never-was/terminate"
    foreign = self_host.page(terminate, "operator", "POST", **{"Sec-Fetch-Site": "cross-site"})
    own = self_host.page(terminate, "operator", "POST", **{"Sec-Fetch-Site": "same-origin"})
    assert (foreign[0], own[0]) == (403, 404)


def test_prometheus_sees_the_server_and_every_worker(self_host: SelfHost) -> None:
    def health() -> dict[str, str]:
        _, answer = self_host.page("/prometheus/api/v1/targets", "viewer")
        return {
            one["labels"]["instance"]: one["health"] for one in json.loads(answer)["data"]["activeTargets"]
        }

    while set(health().values()) != {"up"}:  # until it has looked: the test's own time limit ends it
        time.sleep(1)
    assert len(health()) == 1 + len(WORKERS)


def test_no_process_runs_as_root(self_host: SelfHost) -> None:
    for name in STAYING:
        told = self_host.run("compose", "exec", "-T", name, "id", "-u")
        assert told.stdout.strip() not in {"", "0"}, name

"""A campaign launches only what the trust policy lets it: asked at the start and before each wave."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.fleet.bench import CAMPAIGN, Bench
from integration.image.attesting.studio import RELEASES, Studio
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_activities.image import tags
from steadfleet_activities.image.attesting.verifier import NO_POLICY, ImageVerifier
from steadfleet_core.campaign.plan import CampaignOrder, Preview
from steadfleet_core.campaign.policy import HealthChecks
from steadfleet_core.image.order import Platform
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.fleet import FleetCheck, FleetFindings, Freeze


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(probe_scale=0.02) as cloud:
        yield cloud


@pytest.fixture
def bench(cloud: LocalCloud, tmp_path: Path) -> Bench:
    return Bench.build(cloud, RELEASES, tmp_path, size=1)


@pytest.fixture
def studio(bench: Bench) -> Studio:
    return Studio(bench.cloud)


class Rollout:
    """One campaign to an image, by a worker that trusts so."""

    def __init__(
        self, bench: Bench, studio: Studio, image: str, *, signed: bool = False, **named: str
    ) -> None:
        self.bench, self.studio, self.signed = bench, studio, signed
        spec: dict[str, Any] = {**(named or {"id": image}), "signed": signed}
        self.order = CampaignOrder(policy=bench.policy(image, image=spec), requested_by="ops")

    def fleet(self, environment: str, **spec: Any) -> AwsFleet:
        return AwsFleet(self.bench.aws, verifier=self.studio.verifier(environment, **spec))

    async def planned(self, environment: str = "prod", fleet: AwsFleet | None = None) -> Preview:
        freeze = Freeze(order=self.order, store=True, probe=False)
        return await ActivityEnvironment().run((fleet or self.fleet(environment)).preview_plan, freeze)

    async def looked_at(
        self, planned: Preview, environment: str = "prod", fleet: AwsFleet | None = None, **spec: Any
    ) -> FleetFindings:
        checks = HealthChecks.model_validate(self.bench.quick(timeout="0.2s"))
        check = FleetCheck(
            plan=planned.plan, checks=checks, tolerance=0, campaign=CAMPAIGN, signed=self.signed
        )
        adapter = fleet or self.fleet(environment, **spec)
        return await ActivityEnvironment().run(adapter.check_fleet, check)


async def test_a_signed_image_rolls_out(bench: Bench, studio: Studio) -> None:
    rollout = Rollout(bench, studio, await studio.signed("good-2.0"), signed=True)
    for environment in ("dev", "staging", "prod"):
        planned = await rollout.planned(environment)

        assert planned.problems == ()
        assert await rollout.looked_at(planned, environment) == FleetFindings()


async def test_an_image_whose_signature_is_anothers_is_refused_at_the_start(
    bench: Bench, studio: Studio
) -> None:
    signed, image = await studio.signed("good-1.0"), studio.image("good-2.0")
    for bundle in studio.bundles(signed):
        studio.leave(image, bundle)
    rollout = Rollout(bench, studio, image)

    for environment in ("staging", "prod"):
        planned = await rollout.planned(environment)
        assert len(planned.problems) == 1
        assert f"image {image} (" in planned.problems[0]
        assert "was it copied from another image?" in planned.problems[0]


async def test_dev_warns_and_goes_on(bench: Bench, studio: Studio) -> None:
    rollout = Rollout(bench, studio, studio.image())

    planned = await rollout.planned("dev")
    found = await rollout.looked_at(planned, "dev")

    assert planned.problems == found.problems == ()
    for said in (planned.warnings, found.drift):
        assert any("no attestation of this image by a trusted signer was found" in one for one in said)


async def test_a_policy_that_demands_a_signature_is_held_to_it_in_dev_too(
    bench: Bench, studio: Studio
) -> None:
    rollout = Rollout(bench, studio, studio.image(), signed=True)

    planned = await rollout.planned("dev")
    found = await rollout.looked_at(planned, "dev")

    assert "signature: not proven" in planned.problems[0]
    assert "provenance: not proven" in found.problems[0]


async def test_a_signature_that_is_removed_halts_before_the_next_wave(bench: Bench, studio: Studio) -> None:
    image = await studio.signed("good-2.0")
    rollout = Rollout(bench, studio, image)
    planned = await rollout.planned()
    assert (await rollout.looked_at(planned)).problems == ()
    studio.attestations.remove(studio.copy_of(image))

    (problem,) = (await rollout.looked_at(planned)).problems

    assert "no attestation of this image by a trusted signer was found" in problem


async def test_an_image_that_is_revoked_halts_before_the_next_wave(bench: Bench, studio: Studio) -> None:
    image = studio.image("good-2.0")
    attested = await studio.attest(studio.request(image))
    rollout = Rollout(bench, studio, image)
    planned = await rollout.planned("dev")

    revoked = [{"digest": attested.content, "reason": "ships a leaked key"}]
    (problem,) = (await rollout.looked_at(planned, "dev", revoked=revoked)).problems

    assert "was revoked: ships a leaked key" in problem


async def test_the_image_that_a_version_means_at_the_freeze_is_the_one_that_counts(
    bench: Bench, studio: Studio
) -> None:
    first = await studio.signed("good-2.0")
    ec2 = studio.regions.at_home.ec2
    marks = [{"Key": tags.FAMILY, "Value": "web"}, {"Key": tags.VERSION, "Value": "1.4.2"}]
    ec2.create_tags(Resources=[first], Tags=marks)  # type: ignore[arg-type]
    rollout = Rollout(bench, studio, first, family="web", version="1.4.2")
    planned = await rollout.planned()
    ec2.delete_tags(Resources=[first], Tags=marks)  # type: ignore[arg-type]
    ec2.create_tags(Resources=[studio.image("good-1.0")], Tags=marks)  # type: ignore[arg-type]

    found = await rollout.looked_at(planned)

    assert planned.plan.image.id == first
    assert found.problems == ()


@pytest.mark.parametrize("action", ["ListObjectsV2", "GetObject"])
async def test_a_store_that_does_not_answer_is_an_error_to_try_again(
    bench: Bench, studio: Studio, action: str
) -> None:
    image = await studio.signed("good-2.0")
    rollout = Rollout(bench, studio, image)
    planned = await rollout.planned()
    bench.cloud.add_fault("error", action=action)

    for environment in ("dev", "prod"):
        with pytest.raises(ApplicationError) as failed:
            await rollout.looked_at(planned, environment)
        assert not failed.value.non_retryable


async def test_without_a_policy_there_is_a_warning_and_a_demand_is_refused(
    bench: Bench, studio: Studio
) -> None:
    image = await studio.signed("good-2.0")
    fleet = AwsFleet(bench.aws, verifier=ImageVerifier(None, {Platform.AWS: studio.shelf}))

    planned = await Rollout(bench, studio, image).planned(fleet=fleet)
    demanding = await Rollout(bench, studio, image, signed=True).planned(fleet=fleet)

    assert planned.problems == ()
    assert f"image {image}: {NO_POLICY}" in planned.warnings
    assert NO_POLICY in demanding.problems[0]


async def test_an_image_that_is_gone_is_a_problem_and_no_failure(bench: Bench, studio: Studio) -> None:
    image = await studio.signed("good-2.0")
    rollout = Rollout(bench, studio, image)
    planned = await rollout.planned()
    bench.aws.ec2.deregister_image(ImageId=image)

    problems = (await rollout.looked_at(planned)).problems

    assert any("is not available any more" in problem for problem in problems)

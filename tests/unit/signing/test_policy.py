from datetime import timedelta

import pytest

from fakes.trust import (
    BUILDER,
    NOW,
    image,
    new_signer,
    plain,
    provenance,
    sbom,
    smoke_tested,
    trusted_key,
    trusting,
)
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_signing import (
    CHANNEL,
    PRODUCTION,
    SIGNED,
    Decision,
    Requirement,
    Statement,
    Subject,
    TrustMaterial,
    TrustPolicy,
    Verified,
    decide,
    examine,
)
from steadfleet_signing.policy import Demand, rule_of
from steadfleet_signing.predicates import Outcome
from steadfleet_signing.statement import SLSA_PROVENANCE, VERIFICATION_SUMMARY

SIGNER = new_signer()
IMAGE, OTHER = image(), image("web 1.4.1")
PROD, STAGING, DEV = (
    trusting(trusted_key(SIGNER), environment=environment) for environment in ("prod", "staging", "dev")
)
SIGNATURE, PROVENANCE = SIGNER.sign(plain(IMAGE)), SIGNER.sign(provenance(IMAGE))


def decided(
    policy: TrustPolicy, *raws: bytes, demand: Demand = frozenset(), measured: tuple[Subject, ...] = (IMAGE,)
) -> Decision:
    return decide(policy, measured, examine(raws, TrustMaterial.of(policy)), demand, now=NOW)


def proven(decision: Decision) -> set[Requirement]:
    return {proof.requirement for proof in decision.satisfied}


def test_prod_allows_an_image_with_provenance_by_an_allowed_builder() -> None:
    decision = decided(PROD, PROVENANCE)

    assert decision.allowed
    assert decision.reasons == ()
    assert decision.enforced == (Requirement.SIGNATURE, Requirement.PROVENANCE)
    assert proven(decision) == PRODUCTION
    assert decision.satisfied[0].signer == "key release"
    assert decision.satisfied[0].bundle == digest_of(PROVENANCE)


def test_prod_refuses_an_image_that_is_only_signed() -> None:
    decision = decided(PROD, SIGNATURE)

    assert not decision.allowed
    assert "provenance: not proven" in decision.reasons[0]
    assert f"expected {SLSA_PROVENANCE}" in decision.reasons[0]


def test_staging_allows_an_image_that_is_only_signed() -> None:
    assert decided(STAGING, SIGNATURE).allowed


@pytest.mark.parametrize("policy", [PROD, STAGING])
def test_what_is_missing_is_not_proven(policy: TrustPolicy) -> None:
    decision = decided(policy)

    assert not decision.allowed
    assert "signature: not proven: no attestation of this image by a trusted signer" in decision.reasons[0]


def test_dev_warns_and_allows() -> None:
    decision = decided(DEV)

    assert decision.allowed
    assert decision.enforced == ()
    assert "signature: not proven" in decision.reasons[0]


@pytest.mark.parametrize("policy", [DEV, STAGING])
def test_a_campaign_can_demand_the_rule_of_prod_anywhere(policy: TrustPolicy) -> None:
    assert not decided(policy, SIGNATURE, demand=PRODUCTION).allowed
    assert decided(policy, PROVENANCE, demand=PRODUCTION).allowed


def test_a_demand_never_lowers_the_bar() -> None:
    assert not decided(PROD, SIGNATURE, demand=SIGNED).allowed


def test_a_channel_demands_an_sbom_and_passed_tests_too() -> None:
    inventory, result = SIGNER.sign(sbom(IMAGE)), SIGNER.sign(smoke_tested(IMAGE))

    assert decided(DEV, PROVENANCE, inventory, result, demand=CHANNEL).allowed
    assert not decided(DEV, PROVENANCE, inventory, demand=CHANNEL).allowed
    assert not decided(DEV, PROVENANCE, result, demand=CHANNEL).allowed


def test_an_unknown_environment_is_held_to_the_rule_of_prod() -> None:
    assert rule_of("qa") == rule_of("prod")
    assert rule_of("qa").enforced


@pytest.mark.parametrize(
    ("result", "failed"),
    [(Outcome.FAILED, ("boots",)), (Outcome.WARNED, ()), (Outcome.PASSED, ("boots",))],
)
def test_tests_that_did_not_all_pass_prove_nothing(result: Outcome, failed: tuple[str, ...]) -> None:
    raw = SIGNER.sign(smoke_tested(IMAGE, result=result, failed=failed))

    decision = decided(DEV, raw, demand={Requirement.TESTS})

    assert not decision.allowed
    assert any(f"tests ended with '{result}'" in reason for reason in decision.reasons)


@pytest.mark.parametrize(
    "bad_news",
    [
        smoke_tested(IMAGE, result=Outcome.FAILED),
        Statement(
            subjects=(IMAGE,),
            predicate_type=VERIFICATION_SUMMARY,
            predicate={"verificationResult": "FAILED"},
        ).canonical(),
    ],
)
def test_a_trusted_signer_saying_that_it_failed_has_not_signed_for_it(bad_news: bytes) -> None:
    decision = decided(STAGING, SIGNER.sign(bad_news))

    assert not decision.allowed
    assert "says that the image failed" in decision.reasons[0]


def test_an_attestation_replayed_on_another_image_does_not_count() -> None:
    decision = decided(STAGING, SIGNATURE, measured=(OTHER,))

    assert not decision.allowed
    assert any(
        f"it is about {IMAGE}, not about {OTHER}: was it copied" in reason for reason in decision.reasons
    )


def test_the_name_of_a_subject_proves_nothing() -> None:
    impostor = Subject(name=IMAGE.name, digest=OTHER.digest)

    assert not decided(STAGING, SIGNER.sign(plain(impostor))).allowed


def test_every_digest_that_was_measured_must_be_named() -> None:
    content = image("all blocks")

    assert not decided(STAGING, SIGNATURE, measured=(IMAGE, content)).allowed
    assert decided(STAGING, SIGNER.sign(plain(IMAGE, content)), measured=(IMAGE, content)).allowed
    assert decided(STAGING, SIGNER.sign(plain(OTHER, IMAGE))).allowed


def test_nothing_is_said_of_what_was_not_measured() -> None:
    for measured in [(), (Subject(name="web", digest={"sha512": "a"}),)]:
        with pytest.raises(RefusedError, match="no image was measured"):
            decide(DEV, measured, [], now=NOW)


def test_provenance_of_a_builder_that_is_not_allowed_is_not_enough() -> None:
    decision = decided(PROD, SIGNER.sign(provenance(IMAGE, builder="https://laptop.example")))

    assert not decision.allowed
    assert f"names builder 'https://laptop.example': the policy allows {BUILDER}" in decision.reasons[0]


def test_a_signer_may_not_speak_for_the_builder_of_another() -> None:
    tester = new_signer()
    policy = trusting(trusted_key(SIGNER), trusted_key(tester, name="tester", builders=[]))

    decision = decided(policy, tester.sign(provenance(IMAGE)))

    assert not decision.allowed
    assert proven(decision) == SIGNED
    assert f"names builder '{BUILDER}', for which key tester may not speak" in decision.reasons[0]


@pytest.mark.parametrize("predicate", [{}, {"runDetails": []}, {"runDetails": {"builder": {"id": ["a"]}}}])
def test_provenance_without_a_builder_is_not_enough(predicate: dict[str, object]) -> None:
    raw = Statement(subjects=(IMAGE,), predicate_type=SLSA_PROVENANCE, predicate=predicate).canonical()

    assert not decided(PROD, SIGNER.sign(raw)).allowed


def test_a_signer_whom_this_policy_does_not_trust_does_not_count() -> None:
    stranger = new_signer()
    verified = examine([stranger.sign(plain(IMAGE))], TrustMaterial.of(trusting(trusted_key(stranger))))

    decision = decide(STAGING, [IMAGE], verified, now=NOW)

    assert not decision.allowed
    assert any("whom policy staging does not trust" in reason for reason in decision.reasons)


def test_bad_bundles_among_good_ones_are_told_and_do_no_harm() -> None:
    decision = decided(PROD, b"{}", new_signer().sign(plain(IMAGE)), PROVENANCE, SIGNER.sign(plain(OTHER)))

    assert decision.allowed
    assert len(decision.reasons) == 3
    assert all("does not count" in reason for reason in decision.reasons)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_revoked_image_is_refused_everywhere(environment: str) -> None:
    revoked = [{"digest": f"sha256:{IMAGE.digest['sha256']}", "reason": "ships a leaked key"}]
    policy = trusting(trusted_key(SIGNER), environment=environment, revoked=revoked)

    decision = decided(policy, PROVENANCE)

    assert not decision.allowed
    assert "web 1.4.2 was revoked: ships a leaked key" in decision.reasons[0]


def test_a_revoked_statement_does_not_count_however_it_is_wrapped() -> None:
    revoked = [{"digest": digest_of(provenance(IMAGE)), "reason": "signed by mistake"}]
    wrapped_anew = PROVENANCE.replace(b'"keyid":""', b'"keyid":"anything"')
    assert wrapped_anew != PROVENANCE

    decision = decided(trusting(trusted_key(SIGNER), revoked=revoked), PROVENANCE, wrapped_anew)

    assert not decision.allowed
    assert len([reason for reason in decision.reasons if "it was revoked: signed by mistake" in reason]) == 2


def verified(statement: bytes, *times: timedelta) -> Verified:
    """Stand for what was verified, dated so long before NOW."""
    return Verified(
        bundle=digest_of(statement),
        signed=digest_of(statement),
        signer=SIGNER.identity,
        statement=Statement.parse(statement),
        times=tuple(NOW - time for time in times),
        notes=("a timestamp does not count: it is a stranger's",),
    )


def dated(**spec: object) -> TrustPolicy:
    return trusting(trusted_key(SIGNER), environment="staging", **spec)


def test_where_a_timestamp_is_required_one_must_count() -> None:
    policy = dated(requireTimestamp=True)

    undated = decide(policy, [IMAGE], [verified(plain(IMAGE))], now=NOW)

    assert not undated.allowed
    assert any(
        "no trusted timestamp" in reason and "it is a stranger's" in reason for reason in undated.reasons
    )
    assert decide(policy, [IMAGE], [verified(plain(IMAGE), timedelta(days=1))], now=NOW).allowed


@pytest.mark.parametrize("days", [0, 89, 90])
def test_a_signature_as_old_as_max_age_counts(days: int) -> None:
    attestation = verified(plain(IMAGE), timedelta(days=days))

    assert decide(dated(maxAge="90d"), [IMAGE], [attestation], now=NOW).allowed


def test_a_signature_older_than_max_age_does_not_count() -> None:
    attestation = verified(plain(IMAGE), timedelta(days=90, seconds=1))

    decision = decide(dated(maxAge="90d"), [IMAGE], [attestation], now=NOW)

    assert not decision.allowed
    assert any("older than maxAge 90d: build the image anew" in reason for reason in decision.reasons)


def test_an_age_that_cannot_be_told_is_too_old() -> None:
    assert not decide(dated(maxAge="90d"), [IMAGE], [verified(plain(IMAGE))], now=NOW).allowed


@pytest.mark.parametrize(
    "attestation",
    [
        verified(plain(IMAGE), timedelta(days=1), timedelta(days=91)),
        verified(provenance(IMAGE, finished=NOW - timedelta(days=91)), timedelta(days=1)),
    ],
)
def test_an_old_signature_that_was_dated_anew_is_still_old(attestation: Verified) -> None:
    assert not decide(dated(maxAge="90d"), [IMAGE], [attestation], now=NOW).allowed


def test_a_decision_survives_being_sent() -> None:
    decision = decided(PROD, PROVENANCE, b"{}")

    assert Decision.model_validate_json(decision.model_dump_json()) == decision

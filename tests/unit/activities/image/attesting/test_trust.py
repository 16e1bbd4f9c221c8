"""Only dev may do without a trust policy, and a policy is for one environment."""

from pathlib import Path

import pytest
import yaml

from fakes.trust import new_signer, trusted_key, trusting
from steadfleet_activities.image.attesting.trust import environment_of, trust_of
from steadfleet_durable import WorkerConfigError
from steadfleet_signing.trust import Environment


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "trust.yaml"
    written = trusting(trusted_key(new_signer()), environment="staging")
    path.write_text(yaml.safe_dump(written.model_dump(mode="json", by_alias=True, exclude_none=True)))
    return path


def test_a_worker_that_was_told_nothing_is_in_prod() -> None:
    assert environment_of({}) is environment_of({"STEADFLEET_ENVIRONMENT": ""}) is Environment.PROD


def test_an_environment_that_nobody_knows_is_refused() -> None:
    with pytest.raises(
        WorkerConfigError, match="STEADFLEET_ENVIRONMENT=test: expected one of dev, staging, prod"
    ):
        environment_of({"STEADFLEET_ENVIRONMENT": "test"})


def test_dev_alone_does_without_a_policy() -> None:
    assert trust_of({"STEADFLEET_ENVIRONMENT": "dev"}) is None
    for env in ({}, {"STEADFLEET_ENVIRONMENT": "staging"}, {"STEADFLEET_ENVIRONMENT": "prod"}):
        with pytest.raises(WorkerConfigError, match="STEADFLEET_TRUST_POLICY is not set, and in"):
            trust_of(env)


def test_the_policy_of_the_environment_is_read(policy: Path) -> None:
    trust = trust_of({"STEADFLEET_ENVIRONMENT": "staging", "STEADFLEET_TRUST_POLICY": str(policy)})

    assert trust is not None
    assert trust.policy.metadata.name == "staging"


@pytest.mark.parametrize("environment", ["", "dev", "prod"])
def test_the_policy_of_another_environment_is_refused(policy: Path, environment: str) -> None:
    env = {"STEADFLEET_ENVIRONMENT": environment, "STEADFLEET_TRUST_POLICY": str(policy)}

    with pytest.raises(
        WorkerConfigError, match=f"is for staging, and this worker serves {environment or 'prod'}"
    ):
        trust_of(env)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"kind: PatchPolicy", "PatchPolicy — expected TrustPolicy"),
        (b"\xff", "expected a file with a TrustPolicy"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_policy_is_refused(policy: Path, content: bytes, said: str) -> None:
    policy.write_bytes(content)

    with pytest.raises(WorkerConfigError, match=said):
        trust_of({"STEADFLEET_ENVIRONMENT": "staging", "STEADFLEET_TRUST_POLICY": str(policy)})

"""Every service starts with the settings that its pod is given: read by the services' own code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes.controller import made
from kubernetes.mounts import Secrets, environment
from kubernetes.programs import Programs
from kubernetes.rendering import Object, Rendering, container_of, rendered, service_of

from steadfleet_activities.image.attesting.trust import trust_of
from steadfleet_codec_server.settings import Settings as CodecSettings
from steadfleet_dr_drill.settings import Settings as DrillSettings
from steadfleet_dr_drill.witness_settings import WitnessSettings
from steadfleet_durable import EngineError
from steadfleet_durable.encryption_keys import Keyring
from steadfleet_image_build.settings import Settings as ImageSettings
from steadfleet_janitor.settings import Settings as JanitorSettings
from steadfleet_patch_campaign.settings import Settings as CampaignSettings
from steadfleet_signer.settings import Settings as SignerSettings

pytestmark = pytest.mark.kubernetes

READ: Mapping[str, Callable[[Mapping[str, str]], Any]] = {
    "patch-campaign": CampaignSettings.from_env,
    "image-build": ImageSettings.from_env,
    "dr-drill": DrillSettings.from_env,
    "witness": WitnessSettings.from_env,
    "signer": SignerSettings.from_env,
    "janitor": JanitorSettings.from_env,
    "codec-server": CodecSettings.from_env,
}
_TRUSTS = {"patch-campaign", "image-build", "dr-drill"}


def _services(rendering: Rendering) -> list[Object]:
    """Return what would run: where the controller makes Deployments, those that it makes."""
    versions = [found for found in made(rendering) if found["kind"] == "Deployment"]
    return [*rendering.of_kind("Deployment", "StatefulSet"), *versions]


def _start(rendering: Rendering, running: Object, folder: Path) -> None:
    folder.joinpath("secrets").mkdir()
    env = environment(rendering, running, Secrets(folder / "secrets"), folder)
    READ[service_of(running)](env)
    Keyring.from_environment(env)
    if service_of(running) in _TRUSTS:
        trust_of(env)


def test_every_service_starts_with_the_settings_of_its_pod(rendering: Rendering, tmp_path: Path) -> None:
    services = _services(rendering)
    for number, running in enumerate(services):
        folder = tmp_path / str(number)
        folder.mkdir()
        _start(rendering, running, folder)

    assert {service_of(running) for running in services} == set(READ)


def _forget(name: str) -> Callable[[Rendering], None]:
    def forget(rendering: Rendering) -> None:
        for found in rendering.of_kind("ConfigMap"):
            found["data"].pop(name, None)
        for running in rendering.running():
            env = container_of(running)["env"]
            env[:] = [said for said in env if said["name"] != name]

    return forget


def _say(name: str, value: str) -> Callable[[Rendering], None]:
    def say(rendering: Rendering) -> None:
        for running in rendering.running():
            env = container_of(running)["env"]
            env[:] = [said for said in env if said["name"] != name] + [{"name": name, "value": value}]

    return say


WRONG = {
    "no payload keys on Temporal Cloud": ("janitor", _forget("STEADFLEET_PAYLOAD_KEYS"), "clear text"),
    "payload keys elsewhere": ("janitor", _say("STEADFLEET_PAYLOAD_KEYS", "/keys"), "No such file"),
    "no trust policy in prod": ("dr-drill", _forget("STEADFLEET_TRUST_POLICY"), "STEADFLEET_TRUST_POLICY"),
    "a trust policy of another environment": (
        "dr-drill",
        _say("STEADFLEET_ENVIRONMENT", "staging"),
        "is for prod",
    ),
    "no key to sign with": ("signer", _forget("STEADFLEET_SIGNING_KMS_KEY"), "what signs"),
    "no folder for the journals": (
        "witness",
        _forget("STEADFLEET_WITNESS_FOLDER"),
        "STEADFLEET_WITNESS_FOLDER",
    ),
    "a misspelt time": ("janitor", _say("STEADFLEET_GRACEFUL_SHUTDOWN_TIME", "30"), "expected a time"),
    "nobody's tokens": ("codec-server", _forget("STEADFLEET_CODEC_JWKS"), "STEADFLEET_CODEC_JWKS"),
    "no certificate": (
        "codec-server",
        _forget("STEADFLEET_CODEC_CERTIFICATE"),
        "STEADFLEET_CODEC_CERTIFICATE",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_service_does_not_start_with(programs: Programs, mistake: str, tmp_path: Path) -> None:
    name, mutate, said = WRONG[mistake]
    rendering = rendered(programs, "cloud")
    mutate(rendering)
    running = next(found for found in _services(rendering) if service_of(found) == name)

    with pytest.raises(EngineError, match=said):
        _start(rendering, running, tmp_path)

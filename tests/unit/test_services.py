"""The workers together offer every workflow, and every activity that workflows ask for."""

import inspect
import pkgutil
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import steadfleet_image_build.main as image_build
import steadfleet_janitor.main as janitor
import steadfleet_patch_campaign.main as patch_campaign
import steadfleet_ports
import steadfleet_signer.main as signer
import steadfleet_workflows
from steadfleet_activities.image.attesting.signer import MeasuringSigner
from steadfleet_cli import engine
from steadfleet_durable import register
from steadfleet_image_build.settings import Settings as ImageSettings
from steadfleet_janitor.settings import Settings as JanitorSettings
from steadfleet_patch_campaign.settings import Settings as CampaignSettings

LOCAL = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "STEADFLEET_ENVIRONMENT": "dev",
}


def classes(package: ModuleType) -> set[type]:
    modules = [
        import_module(found.name) for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return {
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__
    }


def activities(owner: type) -> set[str]:
    """Return the names of the activities that a port or an adapter declares."""
    declared = inspect.getmembers(owner, inspect.isfunction)
    return {_name(method) for _, method in declared if hasattr(method, "__temporal_activity_definition")}


def _name(method: Callable[..., Any]) -> str:
    return str(getattr(method, "__temporal_activity_definition").name)


def test_every_workflow_is_offered_by_one_worker() -> None:
    offered = [*patch_campaign.WORKFLOWS, *image_build.WORKFLOWS, *janitor.WORKFLOWS]
    defined = {one for one in classes(steadfleet_workflows) if hasattr(one, "__temporal_workflow_definition")}

    assert Counter(offered) == Counter(defined)


def test_every_activity_of_every_port_is_offered() -> None:
    adapters = (
        *patch_campaign.adapters(CampaignSettings.from_env({}), LOCAL),
        *image_build.adapters(ImageSettings.from_env({}), LOCAL),
        janitor.adapter(JanitorSettings.from_env({}), LOCAL),
    )
    offered = {_name(activity) for adapter in adapters for activity in register(adapter)}
    promised = {name for port in classes(steadfleet_ports) for name in activities(port)}

    assert promised
    assert offered | activities(MeasuringSigner) == promised


def test_the_task_queues_are_those_that_the_command_line_knows() -> None:
    known = (engine.CAMPAIGNS, engine.IMAGES, engine.JANITOR, engine.SIGNER)
    named = (patch_campaign.NAME, image_build.NAME, janitor.NAME, signer.NAME)

    assert [service.task_queue for service in known] == list(named)

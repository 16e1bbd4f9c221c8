"""The workers together offer every workflow, and every activity that workflows ask for."""

import inspect
import pkgutil
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import steadfleet_dr_drill.main as dr_drill
import steadfleet_image_build.main as image_build
import steadfleet_janitor.main as janitor
import steadfleet_patch_campaign.main as patch_campaign
import steadfleet_ports
import steadfleet_signer.main as signer
import steadfleet_workflows
from steadfleet_activities.drill.witness.witness import IndependentWitness
from steadfleet_activities.image.attesting.signer import MeasuringSigner
from steadfleet_cli import engine
from steadfleet_dr_drill import witness_main
from steadfleet_dr_drill.settings import Settings as DrillSettings
from steadfleet_durable import register
from steadfleet_image_build.settings import Settings as ImageSettings
from steadfleet_janitor.settings import Settings as JanitorSettings
from steadfleet_patch_campaign.settings import Settings as CampaignSettings
from steadfleet_workflows.fleet import FleetReservation

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


def test_every_workflow_is_offered_by_one_worker_and_the_fleets_own_by_all_that_hold_fleets() -> None:
    workers = (patch_campaign, image_build, dr_drill, janitor)
    offered = [one for worker in workers for one in worker.WORKFLOWS]
    defined = {one for one in classes(steadfleet_workflows) if hasattr(one, "__temporal_workflow_definition")}

    assert Counter(offered) == Counter([*defined, FleetReservation])


def test_every_activity_of_every_port_is_offered() -> None:
    adapters = (
        *patch_campaign.adapters(CampaignSettings.from_env({}), LOCAL),
        *image_build.adapters(ImageSettings.from_env({}), LOCAL),
        *dr_drill.adapters(DrillSettings.from_env({}), LOCAL),
        janitor.adapter(JanitorSettings.from_env({}), LOCAL),
    )
    offered = {_name(activity) for adapter in adapters for activity in register(adapter)}
    promised = {name for port in classes(steadfleet_ports) for name in activities(port)}

    assert promised
    assert offered | activities(MeasuringSigner) | activities(IndependentWitness) == promised


def test_the_task_queues_are_those_that_the_command_line_knows() -> None:
    known = (engine.CAMPAIGNS, engine.IMAGES, engine.DRILLS, engine.WITNESS, engine.JANITOR, engine.SIGNER)
    workers = (patch_campaign, image_build, dr_drill, witness_main, janitor, signer)
    named = [worker.NAME for worker in workers]

    assert [service.task_queue for service in known] == named

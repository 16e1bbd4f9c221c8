"""What is looked at before a drill whatever serves it."""

from steadfleet_activities.drill.drivers import Inspected
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.report import Finding
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import SteadfleetError


def inspected_secrets(drill: Drill, secrets: Secrets) -> Inspected:
    """Read every secret, and forget it. Blocks."""
    findings = []
    for store in drill.plan.spec.stores:
        try:
            secrets.read(store.password, drill.region)
        except SteadfleetError as error:
            what = f"store {store.name}: {error}"
            findings.append(Finding(what=what, blocks=True, predicts=f"{StepKind.RESTORE} {store.name}"))
    checked = tuple(f"store {store.name}: that its password can be read" for store in drill.plan.spec.stores)
    return Inspected(tuple(findings), checked)

"""`${orders.host}` in a service's environment: what was recovered, where it is now."""

import re
from collections.abc import Iterable, Mapping

from steadfleet_activities.drill.drivers import Made, Service
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import DrillSpec
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_FACTS = ("host", "port")


def refuse_unknown(spec: DrillSpec) -> None:
    """Refuse, before anything is made, what could not be filled in when the service starts."""
    problem = next((said for service in spec.services for said in _problems(service, spec)), None)
    if problem:
        raise RefusedError(problem)


def filled(service: Service, drill: Drill, made: Made) -> dict[str, str]:
    """Fill in the service's environment. A service that is not started yet has its address already."""

    def value(found: re.Match[str]) -> str:
        name, _, fact = found[1].rpartition(".")
        for kind in (StepKind.RESTORE, StepKind.START):
            if fact in (facts := made.get(f"{kind} {name}", {})):
                return facts[fact]
        resolved = next((one for one in drill.services if one.name == name), None)
        if resolved is None or fact not in _FACTS:
            raise RefusedError(f"service {service.name}: nothing is known of {found[0]} when it starts")
        return resolved.address if fact == "host" else str(resolved.port)

    return {name: _PLACEHOLDER.sub(value, said) for name, said in service.environment.items()}


def written(environment: Mapping[str, str]) -> str:
    """Write it as user data: `KEY=VALUE`, a line each."""
    return "".join(f"{name}={value}\n" for name, value in environment.items())


def _problems(service: Service, spec: DrillSpec) -> Iterable[str]:
    stores = {store.name for store in spec.stores}
    known = stores | {one.name for one in spec.services}
    for name, said in service.environment.items():
        where = f"service {service.name}: environment {name}"
        if "\n" in said or "\n" in name or "=" in name:
            yield f"{where}: expected one line, and a name without ="
        for found in _PLACEHOLDER.findall(said):
            subject, _, fact = found.rpartition(".")
            if subject not in known or fact not in _FACTS:
                yield (
                    f"{where}: ${{{found}}} is not known: expected NAME.host or NAME.port of "
                    f"{', '.join(sorted(known))}"
                )
            elif subject in stores and subject not in service.depends_on:
                yield f"{where}: ${{{found}}} is not there before {subject} is restored: add it to dependsOn"

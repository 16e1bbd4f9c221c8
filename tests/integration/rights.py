"""What was asked of a cloud by clients: that nothing but dry runs and looks is."""

from typing import Any


def listen(*clients: Any) -> dict[str, bool]:
    """Note each operation that these clients call from now on, and whether it is dry or a look alone."""
    asked: dict[str, bool] = {}

    def note(params: dict[str, Any], model: Any, **_call: object) -> None:
        service, operation = model.service_model.service_name, model.name
        harmless = (
            params.get("DryRun") is True if service == "ec2" else operation.startswith(("Describe", "List"))
        )
        asked[operation] = asked.get(operation, True) and harmless

    for client in clients:
        client.meta.events.register("provide-client-params", note)
    return asked

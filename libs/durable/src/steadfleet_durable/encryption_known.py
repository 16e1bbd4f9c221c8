"""Let a workflow know whether its payloads are encrypted: what it shows elsewhere must then say no more."""

from temporalio import workflow
from temporalio.worker import Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

_NAME = "steadfleet_payloads_are_encrypted"


class EncryptionKnown(Interceptor):
    """Tells the workflows of a worker that has payload keys."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002  # theirs
    ) -> type[WorkflowInboundInterceptor] | None:
        input.unsafe_extern_functions[_NAME] = lambda: True
        return None


def payloads_are_encrypted() -> bool:
    """
    Tell, in a workflow, whether this worker encrypts payloads.

    It is no part of the history: only the value of what is shown may follow it, never a command.
    """
    return workflow.in_workflow() and _NAME in workflow.extern_functions()

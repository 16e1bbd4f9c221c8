"""The one sandbox for workflows, in workers and in replays."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

# Loaded once, not once a workflow. Each must be free of mutable module state that workflow code
# could change, and must not be a module that defines workflows: those are re-run in the sandbox.
PASSED_THROUGH = (
    "steadfleet_core",  # pure rules and frozen models
    "steadfleet_ports",  # activity interfaces: names and types only
    "steadfleet_signing",  # checks of signatures: functions of their arguments
    "cryptography",  # what these call; its extension cannot be loaded twice
    "rfc8785",  # likewise, pure
    "steadfleet_durable",  # this package: its logger reads the workflow's own state
    "structlog",  # its configuration must be the process's; it cannot be re-imported under restrictions
    "yaml",  # steadfleet_core reads policies with it; C extension
    "annotated_types",  # pydantic's constraints: a second copy would not match by identity
    "typing_inspection",  # likewise
)


def workflow_runner() -> SandboxedWorkflowRunner:
    """Return the runner for `Worker(workflow_runner=…)` and `Replayer(workflow_runner=…)`."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)

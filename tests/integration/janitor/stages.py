"""Owners and children that live for as long as a test wants."""

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy


@workflow.defn(sandboxed=False)
class Stage:
    """Begins a child under its own name for each name it is given, and ends when it is told."""

    def __init__(self) -> None:
        self.ended = self.renewed = False

    @workflow.run
    async def run(self, children: list[str]) -> None:
        for name in children:
            await workflow.start_child_workflow(
                Stage.run,
                [],
                id=f"{workflow.info().workflow_id}/{name}",
                parent_close_policy=ParentClosePolicy.ABANDON,
            )
        await workflow.wait_condition(lambda: self.ended or self.renewed)
        if self.renewed:
            workflow.continue_as_new([])

    @workflow.signal
    def end(self) -> None:
        self.ended = True

    @workflow.signal
    def go_on(self) -> None:
        self.renewed = True

"""The verbs of a campaign: updates that answer with a receipt, and three of them as plain signals."""

from datetime import datetime, timedelta

from temporalio import workflow

from steadfleet_core.campaign.book import Book
from steadfleet_core.campaign.lifecycle import (
    Abort,
    Approve,
    Receipt,
    Request,
    RollBack,
    State,
    Verb,
    effect_of,
    refusal,
)
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.policy import PatchSpec, RollbackScope
from steadfleet_core.campaign.report import Approver
from steadfleet_core.campaign.wave import Steering, WaveProgress
from steadfleet_signing.approval import Approval, check_approval
from steadfleet_signing.errors import VerificationError
from steadfleet_workflows.refusal import refused

STALE = timedelta(hours=1)
"""A pause after which hosts and image are looked at again before anything goes on."""


class Verbs:
    """Hears people. What it decides upon is left in `decision` and `steering`, for the campaign to heed."""

    order: CampaignOrder
    spec: PatchSpec
    book: Book

    def __init__(self) -> None:
        self.phase = State.PLANNING
        self.reason = ""
        self.steering = Steering()
        self.decision: Verb | None = None
        self.scope = RollbackScope.CAMPAIGN
        self.wave: WaveProgress | None = None
        self.ending: State | None = None
        self.resuming = False
        self._paused_at: datetime | None = None

    @property
    def state(self) -> State:
        """The phase, unless a pause is on: pausing until the wave says that nothing is in flight."""
        if self.phase.closed or self.phase is State.HALTED or not self.steering.paused:
            return self.phase
        if self.wave is not None and self.wave.held != self.steering.number:
            return State.PAUSING
        return State.PAUSED

    def steer(self, *, paused: bool | None = None, stop: bool = False, advance: bool = False) -> None:
        """Tell the wave under way what to do now; a stop and an advance hold until its end."""
        now = self.steering
        self.steering = Steering(
            number=now.number + 1,
            paused=now.paused if paused is None else paused,
            stop=stop or now.stop,
            advance=advance or now.advance,
        )

    def hold(self, reason: str) -> None:
        """Pause by ourselves, for a person to look."""
        self.reason = reason
        self._paused_at = workflow.now()
        self.steer(paused=True)

    # -- each verb: a validator that refuses what makes no sense, and an update that answers at once

    @workflow.update
    async def approve(self, request: Approve) -> Receipt:
        approver = Approver(by=request.by, plan=request.plan, reason=request.reason, at=workflow.now())
        self.book.approvals = [*self.book.approvals, approver]
        return self._receipt(Verb.APPROVE, request)

    @approve.validator
    def _may_approve(self, request: Approve) -> None:
        self._refuse_nonsense(Verb.APPROVE)
        for problem in self._objections(request):
            raise refused(problem)

    @workflow.update
    async def reject(self, request: Request) -> Receipt:
        self.decision, self.reason = (
            Verb.REJECT,
            f"rejected by {request.by}: {request.reason or 'no reason given'}",
        )
        return self._receipt(Verb.REJECT, request)

    @reject.validator
    def _may_reject(self, request: Request) -> None:
        self._refuse_nonsense(Verb.REJECT)

    @workflow.update
    async def pause(self, request: Request) -> Receipt:
        return self._pause(request)

    @pause.validator
    def _may_pause(self, request: Request) -> None:
        self._refuse_nonsense(Verb.PAUSE)

    @workflow.update
    async def resume(self, request: Request) -> Receipt:
        return self._resume(request)

    @resume.validator
    def _may_resume(self, request: Request) -> None:
        self._refuse_nonsense(Verb.RESUME)

    @workflow.update
    async def abort(self, request: Abort) -> Receipt:
        return self._abort(request)

    @abort.validator
    def _may_abort(self, request: Abort) -> None:
        self._refuse_nonsense(Verb.ABORT)

    @workflow.update
    async def advance(self, request: Request) -> Receipt:
        receipt = self._receipt(Verb.ADVANCE, request)
        self.steer(advance=True)
        return receipt

    @advance.validator
    def _may_advance(self, request: Request) -> None:
        self._refuse_nonsense(Verb.ADVANCE)

    @workflow.update
    async def retry(self, request: Request) -> Receipt:
        receipt = self._receipt(Verb.RETRY, request)
        self.decision = Verb.RETRY
        return receipt

    @retry.validator
    def _may_retry(self, request: Request) -> None:
        self._refuse_nonsense(Verb.RETRY)

    @workflow.update
    async def rollback(self, request: RollBack) -> Receipt:
        return self._roll_back_by(request, request.scope)

    @rollback.validator
    def _may_roll_back(self, request: RollBack) -> None:
        self._refuse_nonsense(Verb.ROLL_BACK)

    # -- the same three, as plain signals: the web UI can send these

    @workflow.signal(name="pause", description="Start no new host; clocks stand still.")
    def pause_signal(self, request: Request | None = None) -> None:
        if self._makes_sense(Verb.PAUSE):
            self._pause(request or Request())

    @workflow.signal(name="resume", description="Go on after a pause.")
    def resume_signal(self, request: Request | None = None) -> None:
        if self._makes_sense(Verb.RESUME):
            self._resume(request or Request())

    @workflow.signal(name="abort", description="Stop and end: hosts in flight are restored.")
    def abort_signal(self, request: Abort | None = None) -> None:
        if self._makes_sense(Verb.ABORT):
            self._abort(request or Abort())

    # -- what they do

    def _pause(self, request: Request) -> Receipt:
        receipt = self._receipt(Verb.PAUSE, request)
        self.resuming = False
        if not self.steering.paused:
            self.hold(f"paused by {request.by}" + (f": {request.reason}" if request.reason else ""))
        return receipt

    def _resume(self, request: Request) -> Receipt:
        receipt = self._receipt(Verb.RESUME, request)
        self.resuming = self._paused_at is not None and workflow.now() - self._paused_at > STALE
        if not self.resuming:
            self.go_on()
        return receipt

    def go_on(self) -> None:
        """End a pause."""
        self.reason, self._paused_at, self.resuming = "", None, False
        self.steer(paused=False)

    def _abort(self, request: Abort) -> Receipt:
        if request.rollback:
            return self._roll_back_by(request, RollbackScope.CAMPAIGN, verb=Verb.ABORT)
        receipt = self._receipt(Verb.ABORT, request)
        self._decide(
            Verb.ABORT, f"aborted by {request.by}" + (f": {request.reason}" if request.reason else "")
        )
        return receipt

    def _roll_back_by(self, request: Request, scope: RollbackScope, verb: Verb = Verb.ROLL_BACK) -> Receipt:
        receipt = self._receipt(verb, request)
        self.scope = scope
        why = f": {request.reason}" if request.reason else ""
        self._decide(Verb.ROLL_BACK, f"rolled back by {request.by}{why}")
        return receipt

    def _decide(self, decision: Verb, reason: str) -> None:
        self.decision, self.reason, self.resuming = decision, reason, False
        self.steer(paused=False, stop=True)

    def _receipt(self, verb: Verb, request: Request) -> Receipt:
        state = self.state
        rolls_back = isinstance(request, Abort) and request.rollback
        effect = effect_of(Verb.ROLL_BACK if rolls_back else verb, state) or effect_of(verb, state) or ""
        receipt = Receipt(
            verb=verb, by=request.by, reason=request.reason, at=workflow.now(), state=state, effect=effect
        )
        self.book.note(receipt)
        return receipt

    def _makes_sense(self, verb: Verb) -> bool:
        """Log what a signal asked in vain: it has no way to hear a refusal."""
        if self._refusal(verb) is None:
            return True
        workflow.logger.warning("signal ignored: %s", self._refusal(verb))
        self.book.warn(f"a signal was ignored: {self._refusal(verb)}")
        return False

    def _refuse_nonsense(self, verb: Verb) -> None:
        problem = self._refusal(verb)
        if problem is not None:
            raise refused(problem)

    def _refusal(self, verb: Verb) -> str | None:
        if self.ending is not None:
            return f"cannot {verb}: the campaign is ending as {self.ending}"
        if self.decision is not None:
            return f"cannot {verb}: {self.reason or self.decision} is being carried out"
        return None if effect_of(verb, self.state) else refusal(verb, self.state)

    def _objections(self, request: Approve) -> list[str]:
        """Say why this approval does not count: the wrong plan, or the wrong person."""
        approval = self.order.policy.spec.approval
        plan = self.book.plan.digest if self.book.plan else None
        checks = {
            f"plan {request.plan} is not the one that waits, which is {plan}: read it, then approve that": (
                request.plan != plan
            ),
            f"{request.by} requested this campaign: somebody else must approve it": (
                request.by == self.order.requested_by
            ),
            f"{request.by} may not approve: the policy allows {', '.join(approval.allowed_approvers)}": (
                bool(approval.allowed_approvers) and request.by not in approval.allowed_approvers
            ),
            f"{request.by} has approved already: somebody else must": (
                request.by in {approver.by for approver in self.book.approvals}
            ),
        }
        return [problem for problem, holds in checks.items() if holds] or self._unproven(request)

    def _unproven(self, request: Approve) -> list[str]:
        """Say why a policy that demands proven approvers does not count this one."""
        approval = self.order.policy.spec.approval
        if not approval.proven:
            return []
        pem = approval.keys.get(request.by)
        if pem is None:
            return [f"{request.by} has no key in the policy, which has {', '.join(approval.keys)}"]
        if not request.proof:
            return [f"the policy demands proof: {request.by} signs the approval with `--key FILE`"]
        expected = Approval(
            campaign=workflow.info().workflow_id, run=self.book.run, plan=request.plan, by=request.by
        )
        try:
            check_approval(request.proof, pem, expected, now=workflow.now())
        except (VerificationError, ValueError) as error:
            return [f"the proof does not count: {error}"]
        return []

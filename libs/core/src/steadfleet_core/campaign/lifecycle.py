"""The states of a campaign, the verbs, and what each verb means in each state."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from steadfleet_core.campaign.policy import RollbackScope
from steadfleet_core.model import Digest, Model


class State(StrEnum):
    PLANNING = "planning"
    AWAITING_APPROVAL = "awaiting approval"
    RUNNING = "running"
    BAKING = "baking"
    PAUSING = "pausing"
    PAUSED = "paused"
    HALTED = "halted"
    ROLLING_BACK = "rolling back"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"
    FAILED = "failed"

    @property
    def closed(self) -> bool:
        return self in {State.SUCCEEDED, State.ROLLED_BACK, State.ABORTED, State.FAILED}


class Verb(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    ADVANCE = "advance"
    RETRY = "retry"
    ROLL_BACK = "rollback"


class Request(Model):
    """Who sends a verb, and why. The name is a claim: Temporal proves only that it may write."""

    by: str = Field(default="unnamed (signal)", min_length=1)
    reason: str = ""


class Approve(Request):
    """`plan` is the digest of the plan that was read; `proof` a signature over it, where one is demanded."""

    plan: Digest
    proof: str = ""


class Abort(Request):
    rollback: bool = False


class RollBack(Request):
    scope: RollbackScope = RollbackScope.CAMPAIGN


class Receipt(Model):
    """The answer to a verb that was accepted: the state that it found, and what will happen."""

    verb: Verb
    by: str
    reason: str
    at: datetime
    state: State
    effect: str


EFFECTS: dict[State, dict[Verb, str]] = {
    State.PLANNING: {
        Verb.PAUSE: "no host is started until resume",
        Verb.ABORT: "ends before any host is touched",
    },
    State.AWAITING_APPROVAL: {
        Verb.APPROVE: "counts towards the approvals that the policy demands",
        Verb.REJECT: "ends the campaign before any host is touched",
        Verb.PAUSE: "the approval clock stands still until resume",
        Verb.ABORT: "ends before any host is touched",
    },
    State.RUNNING: {
        Verb.PAUSE: "no new host is started; hosts in flight finish",
        Verb.ABORT: "no new host is started; hosts in flight and failed are restored, hosts done stay",
        Verb.ROLL_BACK: "no new host is started; hosts in flight and hosts done are restored",
    },
    State.BAKING: {
        Verb.PAUSE: "the bake clock stands still until resume",
        Verb.ABORT: "ends the campaign; hosts done stay, failed hosts are restored",
        Verb.ADVANCE: "the rest of this bake is skipped; one more look judges the wave",
        Verb.ROLL_BACK: "hosts done are restored",
    },
    State.PAUSING: {
        Verb.PAUSE: "already pausing",
        Verb.RESUME: "goes on",
        Verb.ABORT: "hosts in flight and failed are restored, hosts done stay",
        Verb.ROLL_BACK: "hosts in flight and hosts done are restored",
    },
    State.PAUSED: {
        Verb.PAUSE: "already paused",
        Verb.RESUME: "goes on where it stood; after more than an hour, once hosts and image are checked",
        Verb.ABORT: "ends the campaign; hosts done stay, failed hosts are restored",
        Verb.ROLL_BACK: "hosts done are restored",
    },
    State.HALTED: {
        Verb.ABORT: "ends the campaign; hosts done stay, failed hosts are restored",
        Verb.RETRY: "what failed is tried again: the failed hosts, or the step that halted it",
        Verb.ROLL_BACK: "hosts done and failed are restored",
    },
    State.ROLLING_BACK: {
        Verb.PAUSE: "no further host is restored until resume; restores in flight finish",
    },
}

_ADVICE: dict[State, str] = {
    State.PLANNING: "wait for the plan; until then pause and abort are possible",
    State.AWAITING_APPROVAL: "approve or reject the plan first, or pause or abort",
    State.RUNNING: "pause, abort and rollback are possible",
    State.BAKING: "pause, advance, abort and rollback are possible",
    State.PAUSING: "resume, abort and rollback are possible",
    State.PAUSED: "resume it first, or abort or roll back",
    State.HALTED: "retry, rollback or abort decide what becomes of it",
    State.ROLLING_BACK: "the restore is under way; it can be paused",
}


def effect_of(verb: Verb, state: State) -> str | None:
    """Return what the verb does in this state; None if it makes no sense there."""
    return EFFECTS.get(state, {}).get(verb)


def refusal(verb: Verb, state: State) -> str:
    """Say why the verb makes no sense in this state, and what does."""
    advice = _ADVICE.get(state, "a closed campaign takes no verbs; start a new one")
    return f"cannot {verb} while {state}: {advice}"

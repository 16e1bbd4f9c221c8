"""What a person sees without asking a worker: search attributes and details."""

from datetime import timedelta
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.report import CampaignStatus
from steadfleet_core.campaign.wave import WaveProgress
from steadfleet_core.image.report import ImageStatus
from steadfleet_core.model import format_duration
from steadfleet_durable import payloads_are_encrypted

STATE = SearchAttributeKey.for_keyword("SfState")
FLEET = SearchAttributeKey.for_keyword("SfFleet")
REASON = SearchAttributeKey.for_text("SfReason")
WAVE = SearchAttributeKey.for_int("SfWave")
CHANGED = SearchAttributeKey.for_int("SfChanged")
FAILED = SearchAttributeKey.for_int("SfFailed")

FAMILY = SearchAttributeKey.for_keyword("SfFamily")
VERSION = SearchAttributeKey.for_keyword("SfVersion")

PLAN = SearchAttributeKey.for_keyword("SfPlan")

# SQL visibility has room for three Int and three Text attributes a namespace, and ten Keyword.
KEYS = (STATE, FLEET, REASON, WAVE, CHANGED, FAILED, FAMILY, VERSION, PLAN)

LONGEST_REASON = 500  # characters; the server refuses values over 2048 bytes
HIDDEN_REASON = "not shown here: payloads are encrypted"


def shown_reason(reason: str) -> SearchAttributeUpdate[str]:
    """Say why, where it is indexed in clear text; a reason may quote what a host or a person said."""
    encrypted = bool(reason) and payloads_are_encrypted()
    return REASON.value_set(HIDDEN_REASON if encrypted else reason[:LONGEST_REASON])


def attributes(status: CampaignStatus, wave: int) -> list[SearchAttributeUpdate[Any]]:
    return [
        STATE.value_set(status.state.value),
        FLEET.value_set(status.fleet),
        shown_reason(status.reason),
        WAVE.value_set(wave),
        CHANGED.value_set(status.counts.changed),
        FAILED.value_set(status.counts.failed),
    ]


def details(status: CampaignStatus) -> str:
    """Describe a campaign in markdown, for the Temporal UI."""
    counts = status.counts
    lines = [
        f"**{status.name}: {status.state}**" + (f": {status.reason}" if status.reason else ""),
        "",
        *[f"{key}: {value}" for key, value in status.labels.items()],
        f"fleet `{status.fleet}` to image `{status.image}` · plan `{(status.plan or 'not frozen yet')[:19]}`",
        "",
        " · ".join(
            f"{count} {what.replace('_', ' ')}" for what, count in counts.model_dump().items() if count
        ),
        "",
        row("wave", "hosts", "changed", "failed", "restored", "baked", "verdict"),
        "| ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *[_wave_row(wave) for wave in status.waves],
    ]
    lines += [f"\n- {failure.host} ({failure.zone}): {failure.reason}" for failure in status.failures[:10]]
    lines += [f"\n**To put right:** {obligation}" for obligation in status.obligations]
    if status.state is State.AWAITING_APPROVAL:
        lines.append(
            f"\n{len(status.approvals)} of {status.approvals_needed} approvals for plan `{status.plan}`"
        )
    return "\n".join(lines)


def image_attributes(status: ImageStatus) -> list[SearchAttributeUpdate[Any]]:
    return [
        STATE.value_set(status.state.value),
        shown_reason(status.reason),
        FAMILY.value_set(status.family),
        VERSION.value_set(status.version),
    ]


def image_details(status: ImageStatus) -> str:
    """Describe a build in markdown, for the Temporal UI."""
    lines = [
        f"**{status.family} {status.version}: {status.state}**"
        + (f": {status.reason}" if status.reason else ""),
        "",
        *[f"{key}: {value}" for key, value in status.labels.items()],
    ]
    if status.base:
        lines.append(f"built on `{status.base.id}` · inputs `{(status.key or '')[:19]}`")
    if status.built:
        lines.append(f"image `{status.built.id}` · packer's log `{(status.built.log or 'none')[:19]}`")
    if status.examination:
        results = status.examination.results
        failed = len(status.examination.failures)
        lines.append(f"tests: {len(results) - failed} passed, {failed} did not")
        lines.append(f"{status.examination.components} packages in the SBOM")
    if status.gate:
        lines.append(f"advisories: {status.gate.blocking} block, {status.gate.waived} waived")
    if status.places:
        lines += ["", row("place", "required", "image", "state"), "| --- | --- | --- | --- |"]
        lines += [row(one.name, one.required, one.id, one.reason or one.state) for one in status.places]
    lines += [f"\n{warning}" for warning in status.warnings]
    lines += [f"\n**To put right:** {obligation}" for obligation in status.obligations]
    return "\n".join(lines)


def _wave_row(wave: WaveProgress) -> str:
    counts = wave.counts
    baked = timedelta(seconds=round(wave.baked.total_seconds()))
    bake = f"{format_duration(baked)} of {format_duration(wave.bake)}" if wave.bake else ""
    return row(
        wave.number, counts.total, counts.changed, counts.failed, counts.restored, bake, wave.verdict or ""
    )


def row(*cells: object) -> str:
    """Lay out a row; the UI gives tables no padding, so each cell brings its own."""
    return "|" + "|".join(f" {cell}\u00a0" for cell in cells) + "|"

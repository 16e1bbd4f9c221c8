"""The two scripts: `steadfleet`, and `campaign`, which is `steadfleet campaign`.

Only names and summaries are here. A command's module is imported when the command is called.
"""

from steadfleet_cli.exits import EPILOG
from steadfleet_cli.lazy import Entry, LazyGroup, Script

_PLANNING = "steadfleet_cli.campaign.planning"
_STEERING = "steadfleet_cli.campaign.steering"
_WATCHING = "steadfleet_cli.campaign.watching"
_FLEET = "steadfleet_cli.fleet.commands"
_IMAGE = "steadfleet_cli.image"
_DRILL = "steadfleet_cli.drill"
_PREVIEW = "steadfleet_cli.preview.commands"
_SELF_HOST = "steadfleet_cli.self_host.commands"
_SCHEDULING = "steadfleet_cli.drill.scheduling"
_WORKERS = "steadfleet_cli.workers"

campaign = Script(
    "campaign",
    {
        "plan": Entry(f"{_PLANNING}:plan", "Show what a policy would do; touch nothing."),
        "start": Entry(f"{_PLANNING}:start", "Start a campaign, or attach to the same one."),
        "list": Entry(f"{_WATCHING}:list_campaigns", "List campaigns, the newest first."),
        "status": Entry(f"{_WATCHING}:status", "Say where a campaign stands."),
        "watch": Entry(f"{_WATCHING}:watch", "Follow a campaign until it ends."),
        "approve": Entry(f"{_STEERING}:approve", "Agree to the plan that waits."),
        "reject": Entry(f"{_STEERING}:reject", "End a campaign whose plan waits for approval."),
        "pause": Entry(f"{_STEERING}:pause", "Start no new host."),
        "resume": Entry(f"{_STEERING}:resume", "Go on after a pause."),
        "abort": Entry(f"{_STEERING}:abort", "Stop and end; hosts in flight are restored."),
        "advance": Entry(f"{_STEERING}:advance", "Skip the rest of a bake."),
        "retry": Entry(f"{_STEERING}:retry", "Change the failed hosts of a halted wave again."),
        "rollback": Entry(f"{_STEERING}:rollback", "Restore a wave, or every changed host."),
        "report": Entry(f"{_WATCHING}:report", "Write what a campaign did: JSON, or a page with a timeline."),
    },
    help="Roll one change out to one fleet, in widening waves that are judged.",
    epilog=EPILOG,
)

fleet = LazyGroup(
    "fleet",
    {
        "list": Entry(f"{_FLEET}:list_hosts", "List the hosts of a fleet."),
        "freeze": Entry(f"{_FLEET}:freeze", "Let no campaign start on a fleet."),
        "unfreeze": Entry(f"{_FLEET}:unfreeze", "Let campaigns start again."),
        "stop": Entry(f"{_FLEET}:stop", "Stop the line: freeze, and pause the campaign that runs."),
    },
    help="See a fleet, and say whether it may be changed.",
)

image = LazyGroup(
    "image",
    {
        "build": Entry(f"{_IMAGE}.building:build", "Build one version of an image, or attach to its build."),
        "list": Entry(f"{_IMAGE}.watching:list_images", "List builds, released images and channels."),
        "show": Entry(f"{_IMAGE}.watching:show_image", "Say where a build stands, and what came of it."),
        "watch": Entry(f"{_IMAGE}.watching:watch", "Follow a build until it ends."),
        "retry": Entry(f"{_IMAGE}.steering:retry", "Try again what halted a build; nothing is rebuilt."),
        "abort": Entry(f"{_IMAGE}.steering:abort", "Stop a build, and take away all that it made."),
        "test": Entry(f"{_IMAGE}.steering:test", "Try a published image again, on a fresh machine."),
        "sign": Entry(f"{_IMAGE}.steering:sign", "Have every copy of an image measured and signed again."),
        "verify": Entry(f"{_IMAGE}.verifying:verify", "Say whether an image may be used; also offline."),
        "promote": Entry(f"{_IMAGE}.promoting:promote", "Point a channel at a version, or approve that."),
        "rollback": Entry(f"{_IMAGE}.promoting:rollback", "Point a channel back at the version before."),
        "sbom": Entry(f"{_IMAGE}.watching:sbom", "Print the SBOM of an image, in CycloneDX."),
    },
    help="Build golden images, prove what they are, and point channels at them.",
)

drill_schedule = LazyGroup(
    "schedule",
    {
        "create": Entry(f"{_SCHEDULING}:create", "Have a plan rehearsed by itself, at its own times."),
        "update": Entry(f"{_SCHEDULING}:update", "Replace the plan and the times of a schedule."),
        "list": Entry(f"{_SCHEDULING}:list_schedules", "List schedules, their next and their last runs."),
        "show": Entry(f"{_SCHEDULING}:show_schedule", "Say when it runs next, and how the last ones ended."),
        "pause": Entry(f"{_SCHEDULING}:pause", "Start nothing by itself until it is resumed."),
        "resume": Entry(f"{_SCHEDULING}:resume", "Let a paused schedule go on."),
        "trigger": Entry(f"{_SCHEDULING}:trigger", "Start one now."),
        "backfill": Entry(f"{_SCHEDULING}:backfill", "Start what was due between two times."),
        "delete": Entry(f"{_SCHEDULING}:delete", "Forget a schedule."),
    },
    help="Have drills, or with --preflight only their preflights, happen by themselves.",
)

drill = LazyGroup(
    "drill",
    {
        "plan": Entry(f"{_DRILL}.running:plan", "Show the steps of a drill; ask nobody, touch nothing."),
        "preflight": Entry(f"{_DRILL}.running:preflight", "Have a worker predict what would fail."),
        "run": Entry(f"{_DRILL}.running:run", "Rehearse a plan, or attach to the same drill."),
        "list": Entry(f"{_DRILL}.watching:list_drills", "List drills, the newest first."),
        "status": Entry(f"{_DRILL}.watching:status", "Say where a drill stands."),
        "watch": Entry(f"{_DRILL}.watching:watch", "Follow a drill until it ends."),
        "abort": Entry(f"{_DRILL}.steering:abort", "Stop a drill, and take away all that it made."),
        "retry": Entry(f"{_DRILL}.steering:retry", "Try a failed step again."),
        "skip": Entry(f"{_DRILL}.steering:skip", "Leave out a failed step; it is a finding."),
        "report": Entry(f"{_DRILL}.watching:report", "Write what a drill proved: text, JSON, or a page."),
        "controls": Entry(f"{_DRILL}.controls:controls", "Prove that drills notice what is wrong."),
        "schedule": Entry("steadfleet_cli.main:drill_schedule", "Have drills happen by themselves."),
    },
    help="Rehearse disaster recovery in an isolated copy, and measure it.",
)

preview = LazyGroup(
    "preview",
    {
        "which": Entry(f"{_PREVIEW}:which", "Say which Temporal a change's preview talks to, and why."),
        "up": Entry(f"{_PREVIEW}:up", "Bring up a change's preview, or let it live longer."),
        "down": Entry(f"{_PREVIEW}:down", "Tear a change's preview down; nothing is left."),
        "sweep": Entry(f"{_PREVIEW}:sweep", "Tear down the previews whose time is over."),
    },
    help="Give each change a place to be tried in, and take it away with it.",
)

self_host = LazyGroup(
    "self-host",
    {
        "backup": Entry(f"{_SELF_HOST}:backup", "Dump the databases of the running engine."),
        "restore": Entry(f"{_SELF_HOST}:restore", "Bring the engine back from a backup."),
    },
    help="Look after an engine of one's own.",
)

workers = LazyGroup(
    "workers",
    {
        "list": Entry(f"{_WORKERS}.commands:list_versions", "List versions, their work and their pollers."),
        "status": Entry(f"{_WORKERS}.commands:status", "Say what waits for a worker; 6 when something does."),
        "rollout": Entry(f"{_WORKERS}.rolling:rollout", "Change over to another version, in watched steps."),
    },
    help="See the versions of the workers, and change over to another.",
)

steadfleet = Script(
    "steadfleet",
    {
        "campaign": Entry("steadfleet_cli.main:campaign", "Roll one change out to one fleet."),
        "fleet": Entry("steadfleet_cli.main:fleet", "See a fleet, and say whether it may be changed."),
        "image": Entry("steadfleet_cli.main:image", "Build, verify and promote golden images."),
        "drill": Entry("steadfleet_cli.main:drill", "Rehearse disaster recovery, and measure it."),
        "workers": Entry("steadfleet_cli.main:workers", "See and change the versions of the workers."),
        "up": Entry("steadfleet_cli.stack:up", "Start engine, local cloud and worker on this machine."),
        "down": Entry("steadfleet_cli.stack:down", "Stop what `steadfleet up` started here."),
        "preview": Entry("steadfleet_cli.main:preview", "Try a change in a place of its own."),
        "self-host": Entry("steadfleet_cli.main:self_host", "Back up and restore a self-hosted engine."),
        "sweep": Entry("steadfleet_cli.sweep:sweep", "Find and delete what runs left behind."),
        "doctor": Entry("steadfleet_cli.doctor:doctor", "Say what runs, what is missing, and how to get it."),
        "schema": Entry("steadfleet_cli.schema:schema", "Print the JSON Schema of a contract."),
        "completion": Entry("steadfleet_cli.completion:completion", "Print a shell's completion script."),
    },
    help="Keep a fleet of machines fresh, patched and recoverable.",
    epilog=EPILOG,
)

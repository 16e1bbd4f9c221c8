"""What a template must hold, so that nothing of a killed packer is lost and nobody but us publishes.

Each rule gives problem lines: where, what, what was expected, what to do.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from steadfleet_activities.image.packer.draft import Draft, Part, use_of
from steadfleet_core.image.order import Platform

RUN_KEY = "steadfleet:run"
EXPIRY_KEY = "steadfleet:expires-at"
BUILDERS = {"amazon-ebs": Platform.AWS, "docker": Platform.DOCKER}
REQUIRED = {
    Platform.AWS: (
        "image_name",
        "base_image",
        "run",
        "expires_at",
        "security_group_id",
        "ssh_keypair_name",
        "ssh_private_key_file",
    ),
    Platform.DOCKER: ("image_name", "base_image", "run"),
}
"""What every template of a platform declares, and every build of it is given."""

OPTIONAL = {
    Platform.AWS: ("region", "endpoint", "subnet_id", "vpc_id"),
    Platform.DOCKER: ("expires_at",),
}
"""What a build is given if the template declares it."""

_OURS = {RUN_KEY: "run", EXPIRY_KEY: "expires_at"}
"""The tags that every temporary resource has, by the variable that they are given in."""

_TAGS = {
    "run_tags": "run_tag",
    "run_volume_tags": "run_volume_tag",
    "tags": "tag",
    "snapshot_tags": "snapshot_tag",
}
_PUBLISHING = "publishing is Steadfleet's: remove it, and say it in spec.publish"
_HARMFUL = "it destroys images that are there: remove it"
_LOST = "a killed packer would leave what nobody finds: remove it"
_CREDENTIALS = "what a build leaves is looked for with the worker's credentials: remove it, and use those"
_NO_IMAGE = "it would make no image: remove it"
_GIVEN = "the build is given this already: remove it"
_REFUSED_AWS = {
    **dict.fromkeys(
        (
            *("ami_regions", "ami_users", "ami_groups", "ami_product_codes", "ami_org_arns", "ami_ou_arns"),
            *("snapshot_users", "snapshot_groups", "encrypt_boot", "kms_key_id", "region_kms_key_ids"),
            *("deprecate_at", "deregistration_protection", "fast_launch"),
        ),
        _PUBLISHING,
    ),
    **dict.fromkeys(("force_deregister", "force_delete_snapshot"), _HARMFUL),
    **dict.fromkeys(
        (
            *("temporary_iam_instance_profile_policy_document", "spot_price", "spot_instance_types"),
            "spot_price_auto_product",
        ),
        _LOST,
    ),
    **dict.fromkeys(
        (
            *("access_key", "secret_key", "token", "profile", "shared_credentials_file"),
            *("assume_role", "mfa_code", "vault_aws_engine"),
        ),
        _CREDENTIALS,
    ),
    **dict.fromkeys(("skip_create_ami", "skip_save_build_region"), _NO_IMAGE),
    **dict.fromkeys(("source_ami_filter", "security_group_filter"), _GIVEN),
}
_REFUSED_DOCKER = {
    **dict.fromkeys(("export_path", "discard"), _NO_IMAGE),
    **dict.fromkeys(
        ("login", "login_username", "login_password", "login_server", "ecr_login"),
        "the base image is pulled before the build, by the worker: remove it",
    ),
}
_POST_PROCESSORS = ("manifest", "shell-local", "docker-tag")


def broken(draft: Draft, source: Part, platform: Platform) -> Iterator[str]:
    """Give a line for every rule that the template breaks."""
    if "dynamic" in source.settings:
        yield f"{source.where}.dynamic: what it adds cannot be checked: write the blocks out"
    yield from _CHECKS[platform](draft, source)
    for part in draft.post_processors:
        if part.type not in _POST_PROCESSORS:
            expected = ", ".join(_POST_PROCESSORS)
            yield f"{part.where}: {part.type or 'without a type'} — expected only {expected}: {_PUBLISHING}"
    for part in draft.refused:
        yield f"{part.where}: {_PUBLISHING}"


def _aws(draft: Draft, source: Part) -> Iterator[str]:
    uses = _Uses(draft, source)
    yield from uses.exactly("ami_name", "image_name")
    yield from uses.exactly("source_ami", "base_image")
    groups = source.settings.get("security_group_ids")
    if groups is None or "security_group_id" in source.settings:
        yield from uses.exactly("security_group_id", "security_group_id")
    elif groups != [use_of("security_group_id")]:
        yield uses.wrong("security_group_ids", f"[{draft.using('security_group_id')}]")
    yield from uses.exactly("ssh_keypair_name", "ssh_keypair_name")
    yield from uses.exactly("ssh_private_key_file", "ssh_private_key_file")
    # Another region or endpoint than ours is one in which nobody looks for what is left.
    yield from uses.exactly("region", "region", optional=True)
    yield from uses.exactly("custom_endpoint_ec2", "endpoint", optional=True)
    for several, one in _TAGS.items():
        yield from _tags(draft, source, several, one)
    yield from _refused(source, _REFUSED_AWS)


def _docker(draft: Draft, source: Part) -> Iterator[str]:
    uses = _Uses(draft, source)
    yield from uses.exactly("image", "base_image")
    if source.settings.get("commit") not in (True, "true"):
        yield f"{source.where}.commit: {draft.shown(source.settings.get('commit'))} — expected true"
    label = f"{RUN_KEY}={use_of('run')}"
    if not _labelled(source.settings.get("run_command"), label):
        yield (
            f'{source.where}.run_command: expected "--label", "{draft.shown(label)}" among its options, so '
            'that the container of a killed packer is found; such as ["-d", "-i", "-t", "--label", '
            f'"{draft.shown(label)}", "--entrypoint=/bin/sh", "--", "{{{{.Image}}}}"]'
        )
    yield from _refused(source, _REFUSED_DOCKER)


_CHECKS: Mapping[Platform, Callable[[Draft, Part], Iterator[str]]] = {
    Platform.AWS: _aws,
    Platform.DOCKER: _docker,
}


class _Uses:
    """Holds settings against the variables that they must be."""

    def __init__(self, draft: Draft, source: Part) -> None:
        self._draft = draft
        self._source = source

    def exactly(self, setting: str, variable: str, *, optional: bool = False) -> Iterator[str]:
        if optional and not self._source.settings.get(setting):
            return
        if self._source.settings.get(setting) != use_of(variable):
            yield self.wrong(setting, self._draft.using(variable))

    def wrong(self, setting: str, expected: str) -> str:
        got = self._draft.shown(self._source.settings.get(setting))
        return f"{self._source.where}.{setting}: {got} — expected {expected}, which the build is given"


def _tags(draft: Draft, source: Part, several: str, one: str) -> Iterator[str]:
    where = f"{source.where}.{several}"
    wanted = " and ".join(f'"{key}" = {draft.using(name)}' for key, name in _OURS.items())
    given = source.settings.get(several, {})
    if not isinstance(given, dict):
        yield f"{where}: {draft.shown(given)} — expected a map, or a local that is one, with {wanted}"
        return
    tags = given | dict(_tag_blocks(source.settings.get(one)))
    for key, name in _OURS.items():
        if tags.get(key) != use_of(name):
            wanted = f'a tag "{key}" = {draft.using(name)}'
            yield f"{where}: expected {wanted}, so that what a killed packer leaves is found"
    for name in sorted(tags):
        if name.startswith("steadfleet:") and name not in _OURS:
            yield f"{where}: {name} — expected no such tag: Steadfleet says by it what became of an image"


def _tag_blocks(blocks: Any) -> Iterator[tuple[str, Any]]:
    for block in blocks if isinstance(blocks, list) else [blocks]:
        if isinstance(block, dict):
            yield str(block.get("key", block.get("name", ""))), block.get("value")


def _labelled(command: Any, label: str) -> bool:
    if not isinstance(command, list):
        return False
    before_image = command[: command.index("--")] if "--" in command else command
    pairs = pairwise(before_image)
    return f"--label={label}" in before_image or any(
        pair in (("--label", label), ("-l", label)) for pair in pairs
    )


def _refused(source: Part, refused: Mapping[str, str]) -> Iterator[str]:
    for setting, reason in refused.items():
        if source.settings.get(setting):
            yield f"{source.where}.{setting}: {reason}"

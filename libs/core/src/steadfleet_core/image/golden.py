"""`kind: GoldenImage`: what a person writes about an image."""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from steadfleet_core.answers import Answers
from steadfleet_core.image.answers import ANSWERS
from steadfleet_core.model import Contract, Count, Duration, Name, Port, PositiveDuration, Text, between

LONGEST = timedelta(hours=24)

Version = Annotated[
    str,
    StringConstraints(
        pattern=r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
    ),
    Field(description="a semantic version such as 1.4.2 or 1.4.2-rc.1; build metadata (+…) is not read"),
]
Account = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{12}$"),
    Field(description="an AWS account of 12 digits, in quotes"),
]
_PART = r"([^/.][^/]*|\.([^/.][^/]*)?|\.\.[^/]+)"  # of a path: anything but nothing and `..`
RelativePath = Annotated[
    str,
    StringConstraints(pattern=rf"^{_PART}(/{_PART})*/?$"),
    Field(description="a path below the folder of this file"),
]
Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n]+$"), Field(description="text of one line")]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[Text, AfterValidator(_compiles)]
Day = Annotated[date, Field(description="a day such as 2027-01-31")]
TimeLimit = Annotated[Duration, between(timedelta(seconds=1), LONGEST)]


class Channel(StrEnum):
    """A named pointer to one version of a family."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class Severity(StrEnum):
    """CVSS v3's qualitative ratings, least first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class BaseImage(Contract):
    """What the image is built on: an AMI by id or name, or a golden image by version or channel.

    For packer's docker builder it is a `reference` to an image that the engine has.
    """

    id: str | None = Field(
        default=None, pattern=r"^ami-[0-9a-f]{8,17}$", description="an image id such as ami-0123456789abcdef0"
    )
    name: Text | None = None
    owner: Text | None = None
    family: Name | None = None
    version: Version | None = None
    channel: Channel | None = None
    reference: Text | None = None

    @model_validator(mode="after")
    def _one_way_to_say(self) -> Self:
        ways = [self.id, self.name, self.family, self.reference]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("expected exactly one of id, name, family or reference")
        if (self.family is not None) != ((self.version is not None) != (self.channel is not None)):
            raise ValueError("expected family with either version or channel, and those only with family")
        if self.owner is not None and self.name is None:
            raise ValueError("owner would be ignored: expected it only with name")
        return self

    def __str__(self) -> str:
        golden = f"{self.family}@{self.version or self.channel}" if self.family else None
        return self.id or self.name or golden or self.reference or ""


class BuildSpec(Contract):
    """How packer builds it. `files` are what the template reads besides itself."""

    template: RelativePath
    files: tuple[RelativePath, ...] = ()
    base: BaseImage
    variables: dict[str, str] = {}
    time_limit: TimeLimit = timedelta(hours=2)


class NamedCheck(Contract):
    """What every check has: a name that the results are kept under, and its own time limit."""

    name: Text
    time_limit: TimeLimit = timedelta(minutes=1)


class CommandTest(NamedCheck):
    """A shell command on the fresh machine; `stdout` is a regular expression to be found in its output."""

    type: Literal["command"]
    run: Text
    expected_exit: int = Field(default=0, ge=0, le=255)
    stdout: Pattern | None = None


class HttpTest(NamedCheck):
    """A GET of the machine's own address, repeated until it passes or the time limit is over."""

    type: Literal["http"]
    port: Port
    path: str = Field(default="/", pattern=r"^/", description="a path that begins with /")
    expected_status: int = Field(default=200, ge=100, le=599)
    body: Text | None = None


class FileTest(NamedCheck):
    """A file of the fresh machine: there or absent, its mode, its digest, text that it holds."""

    type: Literal["file"]
    path: str = Field(pattern=r"^/", description="an absolute path")
    absent: bool = False
    mode: str | None = Field(
        default=None, pattern=r"^[0-7]{4}$", description='a mode such as "0644", in quotes'
    )
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits")
    contains: Line | None = None

    @model_validator(mode="after")
    def _nothing_ignored(self) -> Self:
        if self.absent and (self.mode or self.sha256 or self.contains):
            raise ValueError("mode, sha256 and contains would be ignored: expected none of them with absent")
        return self


class TestinfraTest(NamedCheck):
    """A file of pytest-testinfra tests, run against the fresh machine."""

    __test__ = False

    type: Literal["testinfra"]
    file: RelativePath
    time_limit: TimeLimit = timedelta(minutes=5)


ImageTest = Annotated[CommandTest | HttpTest | FileTest | TestinfraTest, Field(discriminator="type")]


def _different_names(checks: tuple[NamedCheck, ...]) -> tuple[NamedCheck, ...]:
    names = [check.name for check in checks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is used twice: expected every check to have its own name")
    return checks


class TestSpec(Contract):
    """What is tried on a fresh machine, booted from the image. `user` is who logs in there by SSH."""

    __test__ = False

    user: Text = "root"
    instance_type: Text = "t3.small"
    boot_time_limit: TimeLimit = timedelta(minutes=5)
    time_limit: TimeLimit = timedelta(minutes=30)
    checks: Annotated[tuple[ImageTest, ...], AfterValidator(_different_names)] = ()


class Waiver(Contract):
    """One vulnerability that is accepted for a time: it blocks again on the day of `expires` (UTC)."""

    id: Text
    package: Text | None = None
    reason: Text
    expires: Day


class VulnerabilityGate(Contract):
    """Refuse the image when an advisory of at least `severity` matches a package of its SBOM.

    `advisories` is a file in the OSV format, one advisory or a list; nothing is fetched.
    """

    advisories: RelativePath
    severity: Severity = Severity.HIGH
    fixable_only: bool = False
    waivers: tuple[Waiver, ...] = ()


class Gates(Contract):
    """What must hold before the image is published."""

    sbom: bool = True
    signature: bool = True
    provenance: bool = True
    vulnerabilities: VulnerabilityGate | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.provenance and not self.signature:
            raise ValueError("provenance is a signed statement: expected signature: true with it")
        if self.vulnerabilities and not self.sbom:
            raise ValueError("vulnerabilities are looked up in the SBOM: expected sbom: true with them")
        return self


class Region(Contract):
    """Where a copy is published. `required` ones must all be there before a channel moves."""

    name: Text
    required: bool = True
    kms_key: Text | None = None


class Publish(Contract):
    """Where the image goes: regions for an AMI, registries for an OCI image.

    No region means the region in which it was built, which always has the image.
    """

    regions: tuple[Region, ...] = ()
    registries: tuple[Region, ...] = ()
    share_with: tuple[Account, ...] = ()
    channel: Channel | None = None
    copy_time_limit: PositiveDuration = timedelta(hours=2)
    attempts: Count = 3

    @model_validator(mode="after")
    def _places_once(self) -> Self:
        names = [place.name for place in (*self.regions, *self.registries)]
        if len(names) != len(set(names)):
            raise ValueError("a region is named twice: expected each once")
        if self.regions and self.registries:
            raise ValueError("expected regions for an AMI or registries for an OCI image, not both")
        if self.registries and (self.share_with or any(place.kms_key for place in self.registries)):
            raise ValueError("shareWith and kmsKey would be ignored: expected them only with regions")
        return self


class ImageMetadata(Contract):
    """`name` is the image's family."""

    name: Name
    labels: dict[str, str] = {}


class GoldenImageSpec(Contract):
    """One version of a family: how it is built, tried, judged and published."""

    version: Version
    build: BuildSpec
    tests: TestSpec = TestSpec()
    gates: Gates = Gates()
    publish: Publish = Publish()


class GoldenImage(Contract):
    """A tested, signed image, as a person wrote it down."""

    answers: ClassVar[Answers] = ANSWERS
    api_version: Literal["steadfleet.dev/v1"]
    kind: Literal["GoldenImage"]
    metadata: ImageMetadata
    spec: GoldenImageSpec

    @property
    def family(self) -> str:
        return self.metadata.name

    @property
    def version(self) -> str:
        return self.spec.version

    @property
    def files(self) -> tuple[str, ...]:
        """Name every file that the order must bring along, each once, the template first."""
        spec = self.spec
        tests = [check.file for check in spec.tests.checks if isinstance(check, TestinfraTest)]
        advisories = [spec.gates.vulnerabilities.advisories] if spec.gates.vulnerabilities else []
        return tuple(dict.fromkeys([spec.build.template, *spec.build.files, *tests, *advisories]))

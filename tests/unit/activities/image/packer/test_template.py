"""A template that could leave what nobody finds, or publish by itself, is refused in words."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steadfleet_activities.image.packer.rules import REQUIRED
from steadfleet_activities.image.packer.template import Template, inspect_template
from steadfleet_core.errors import ContractError
from steadfleet_core.image.order import Platform

EXAMPLES = Path(__file__).parents[5] / "examples" / "image"
Json = dict[str, Any]


def use(name: str) -> str:
    return f"{{{{user `{name}`}}}}"


TAGS = {"steadfleet:run": use("run"), "steadfleet:expires-at": use("expires_at"), "Name": "builder"}


def amazon() -> Json:
    builder = {
        "type": "amazon-ebs",
        "source_ami": use("base_image"),
        "ami_name": use("image_name"),
        "security_group_id": use("security_group_id"),
        "ssh_keypair_name": use("ssh_keypair_name"),
        "ssh_private_key_file": use("ssh_private_key_file"),
        "region": use("region"),
        "custom_endpoint_ec2": use("endpoint"),
        **dict.fromkeys(("run_tags", "run_volume_tags", "tags", "snapshot_tags"), TAGS),
    }
    variables = dict.fromkeys((*REQUIRED[Platform.AWS], "region"))
    return {"variables": variables | {"endpoint": "", "motd": "hello"}, "builders": [builder]}


def docker() -> Json:
    builder = {
        "type": "docker",
        "image": use("base_image"),
        "pull": False,
        "commit": True,
        "run_command": ["-d", "-i", "-t", "--label", f"steadfleet:run={use('run')}", "--", "{{.Image}}"],
    }
    return {"variables": dict.fromkeys(REQUIRED[Platform.DOCKER]), "builders": [builder]}


@pytest.fixture
def inspect(tmp_path: Path) -> Callable[..., Template]:
    def inspected(
        template: Json | str, given: dict[str, str] | None = None, name: str = "web.json"
    ) -> Template:
        text = template if isinstance(template, str) else json.dumps(template)
        (tmp_path / name).write_text(text)
        return inspect_template(tmp_path / name, given)

    return inspected


@pytest.fixture
def problems(inspect: Callable[..., Template]) -> Callable[..., list[str]]:
    def found(template: Json | str, given: dict[str, str] | None = None, name: str = "web.json") -> list[str]:
        with pytest.raises(ContractError) as refused:
            inspect(template, given, name)
        return refused.value.problems

    return found


def amazon_with(**settings: object) -> Json:
    template = amazon()
    template["builders"][0] |= settings
    return template


def docker_with(**settings: object) -> Json:
    template = docker()
    template["builders"][0] |= settings
    return template


def test_a_good_template_says_what_it_builds(inspect: Callable[..., Template]) -> None:
    found = inspect(amazon(), {"motd": "x"})

    assert (found.platform, found.builder) == (Platform.AWS, "amazon-ebs")
    assert found.declared == {*REQUIRED[Platform.AWS], "region", "endpoint", "motd"}
    assert inspect(docker()).platform is Platform.DOCKER


@pytest.mark.parametrize(
    ("name", "platform"), [("web.pkr.hcl", Platform.AWS), ("web-docker.pkr.hcl", Platform.DOCKER)]
)
def test_the_examples_are_good(name: str, platform: Platform) -> None:
    assert inspect_template(EXAMPLES / name, {"release": "web/good-1.0"}).platform is platform


def test_every_problem_is_named_at_once(problems: Callable[..., list[str]]) -> None:
    builder = {"type": "amazon-ebs", "ami_name": "mine", "ami_users": ["1"]}

    assert [line.partition(" — ")[0] for line in problems({"builders": [builder]}, {"a": "b"})] == [
        "web.json: builders[0].ami_name: mine",
        "web.json: builders[0].source_ami: (missing)",
        "web.json: builders[0].security_group_id: (missing)",
        "web.json: builders[0].ssh_keypair_name: (missing)",
        "web.json: builders[0].ssh_private_key_file: (missing)",
        *(
            f'web.json: builders[0].{tags}: expected a tag "steadfleet:{key}" = {{{{user `{name}`}}}}, '
            "so that what a killed packer leaves is found"
            for tags in ("run_tags", "run_volume_tags", "tags", "snapshot_tags")
            for key, name in (("run", "run"), ("expires-at", "expires_at"))
        ),
        "web.json: builders[0].ami_users: publishing is Steadfleet's: remove it, and say it in spec.publish",
        *(
            f"web.json: variable {name} is not declared: declare it, for every build is given it"
            for name in REQUIRED[Platform.AWS]
        ),
        "spec.build.variables.a: web.json declares no such variable: it has none of its own; remove it",
    ]


@pytest.mark.parametrize(
    ("setting", "value", "part"),
    [
        ("ami_name", "web-{{timestamp}}", "web-{{timestamp}} — expected {{user `image_name`}}"),
        ("ami_name", "${var.image_name}", "expected {{user `image_name`}}"),
        ("source_ami", "ami-1", "ami-1 — expected {{user `base_image`}}"),
        ("source_ami_filter", {"owners": ["self"]}, "the build is given this already"),
        ("security_group_id", "sg-1", "expected {{user `security_group_id`}}"),
        ("security_group_ids", ["sg-1"], None),
        ("ssh_keypair_name", "", "expected {{user `ssh_keypair_name`}}"),
        ("region", "us-east-1", "us-east-1 — expected {{user `region`}}"),
        ("custom_endpoint_ec2", "http://elsewhere", "expected {{user `endpoint`}}"),
        ("run_tags", {**TAGS, "steadfleet:run": "mine"}, 'expected a tag "steadfleet:run" = {{user `run`}}'),
        ("tags", {**TAGS, "steadfleet:family": "web"}, "steadfleet:family — expected no such tag"),
        ("tags", {**TAGS, "steadfleet:expires-at": ""}, '"steadfleet:expires-at" = {{user `expires_at`}}'),
        ("snapshot_tags", None, "expected a map"),
        ("AMI_Regions", ["eu-west-1"], "ami_regions: publishing is Steadfleet's"),
        ("ami_groups", ["all"], "publishing is Steadfleet's"),
        ("encrypt_boot", True, "publishing is Steadfleet's"),
        ("force_deregister", True, "destroys images"),
        ("spot_price", "auto", "a killed packer would leave"),
        ("access_key", "AKIA", "the worker's credentials"),
        ("skip_create_ami", True, "it would make no image"),
    ],
)
def test_what_an_ami_template_may_not_say_is_refused(
    problems: Callable[..., list[str]], setting: str, value: object, part: str | None
) -> None:
    if part is None:  # refused only if it is the one that is used
        assert "security_group_ids" in problems(_only_groups(amazon_with(**{setting: value})))[0]
        return
    [problem] = problems(amazon_with(**{setting: value}))

    assert problem.startswith(f"web.json: builders[0].{setting.lower()}:")
    assert part in problem


def _only_groups(template: Json) -> Json:
    del template["builders"][0]["security_group_id"]
    return template


@pytest.mark.parametrize(
    "settings",
    [
        {"ami_regions": []},
        {"force_deregister": False},
        {"region": ""},
        {"ami_name": '{{ user "image_name" }}'},
        {"tags": {}, "tag": [{"key": key, "value": value} for key, value in TAGS.items()]},
        {"launch_block_device_mappings": [{"device_name": "/dev/xvda", "volume_size": 8}]},
    ],
)
def test_what_does_no_harm_is_let_be(inspect: Callable[..., Template], settings: Json) -> None:
    inspect(amazon_with(**settings))
    inspect(_only_groups(amazon_with(security_group_ids=[use("security_group_id")])))


@pytest.mark.parametrize(
    ("setting", "value", "part"),
    [
        ("image", "debian", "debian — expected {{user `base_image`}}"),
        ("commit", False, "False — expected true"),
        ("commit", None, "(missing) — expected true"),
        ("run_command", None, 'expected "--label", "steadfleet:run={{user `run`}}"'),
        ("run_command", ["-d", "--label", "steadfleet:run=mine", "{{.Image}}"], 'expected "--label"'),
        (
            "run_command",
            ["-d", "--", "{{.Image}}", "--label", f"steadfleet:run={use('run')}"],
            'expected "--label"',
        ),
        ("export_path", "image.tar", "it would make no image"),
        ("login_password", "secret", "pulled before the build"),
    ],
)
def test_what_a_docker_template_may_not_say_is_refused(
    problems: Callable[..., list[str]], setting: str, value: object, part: str
) -> None:
    [problem] = problems(docker_with(**{setting: value}))

    assert problem.startswith(f"web.json: builders[0].{setting}:")
    assert part in problem


def test_a_label_in_one_word_is_a_label(inspect: Callable[..., Template]) -> None:
    inspect(docker_with(run_command=["-d", f"--label=steadfleet:run={use('run')}", "{{.Image}}"]))


@pytest.mark.parametrize(
    "listed", [["docker-push"], [["docker-tag", {"type": "docker-push"}]], [{"Type": "docker-push"}]]
)
def test_what_publishes_by_itself_is_refused(
    problems: Callable[..., list[str]], listed: list[object]
) -> None:
    [problem] = problems(docker() | {"post-processors": listed})

    assert "docker-push — expected only manifest, shell-local, docker-tag" in problem


@pytest.mark.parametrize(
    ("builders", "expected"),
    [
        ([], "web.json: sources: none — expected exactly one, of type amazon-ebs or docker"),
        (
            [{"type": "docker"}, {"type": "docker"}],
            "web.json: sources: docker, docker — expected exactly one, of type amazon-ebs or docker",
        ),
        (
            [{"type": "virtualbox-iso"}],
            (
                "web.json: builders[0]: type virtualbox-iso — expected amazon-ebs or docker, with which "
                "images are built"
            ),
        ),
    ],
)
def test_one_source_of_a_known_type_is_built(
    problems: Callable[..., list[str]], builders: list[Json], expected: str
) -> None:
    assert problems(docker() | {"builders": builders}) == [expected]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"mtod": "x"}, "spec.build.variables.mtod: web.json declares no such variable: did you mean motd?"),
        ({"zzz": "x"}, "spec.build.variables.zzz: web.json declares no such variable: expected one of motd"),
        ({"run": "mine"}, "spec.build.variables.run: is given by Steadfleet: remove it"),
        ({"region": "mine"}, "spec.build.variables.region: is given by Steadfleet: remove it"),
    ],
)
def test_variables_that_do_not_fit_are_refused(
    problems: Callable[..., list[str]], given: dict[str, str], expected: str
) -> None:
    assert problems(amazon(), given) == [expected]


def test_a_variable_without_a_value_is_refused(
    inspect: Callable[..., Template], problems: Callable[..., list[str]]
) -> None:
    template = amazon()
    template["variables"]["motd"] = None
    template["variables"]["subnet_id"] = None

    assert problems(template) == [
        "web.json: variables.motd: has no default and no value: give it one in spec.build.variables"
    ]
    inspect(template, {"motd": "x", "subnet_id": "subnet-1"})


def test_an_endpoint_must_have_a_default(problems: Callable[..., list[str]]) -> None:
    template = amazon()
    template["variables"]["endpoint"] = None

    [problem] = problems(template)
    assert (
        problem
        == 'web.json: variables.endpoint: has no default: expected "", for at AWS itself it is not given'
    )


SNAPSHOT_TAGS = """
  snapshot_tags = {
    "steadfleet:run" = "other"
    "steadfleet:expires-at" = var.expires_at
  }"""
HCL = (EXAMPLES / "web.pkr.hcl").read_text()


@pytest.mark.parametrize(
    ("part", "instead", "expected"),
    [
        (
            "= var.image_name",
            '= "web-${var.run}"',
            "source.amazon-ebs.web.ami_name: web-var.run — expected var.image_name",
        ),
        ("= var.base_image", "= local.base", "source_ami: ${local.base} — expected var.base_image"),
        ("  snapshot_tags   = local.mine", SNAPSHOT_TAGS, "snapshot_tags: expected a tag"),
        (
            "= local.mine\n  snap",
            "= merge(local.mine, {})\n  snap",
            "tags: ${merge(local.mine, {})} — expected a map",
        ),
        (
            "  snapshot_tags ",
            '  dynamic "tag" {\n    for_each = []\n    content {}\n  }\n  snapshot_tags ',
            "dynamic: what it adds cannot be checked",
        ),
        (
            '  sources = ["source.amazon-ebs.web"]',
            "",
            "web.pkr.hcl: its source is built 0 times — expected once",
        ),
        (
            '  sources = ["source.amazon-ebs.web"]',
            '  source "amazon-ebs.web" {\n    ami_users = ["1"]\n  }',
            "source.amazon-ebs.web.ami_users: publishing is Steadfleet's",
        ),
        (
            '  sources = ["source.amazon-ebs.web"]',
            '  sources = ["source.amazon-ebs.web"]\n  hcp_packer_registry {\n  }',
            "build.hcp_packer_registry: publishing is Steadfleet's",
        ),
        (
            '  sources = ["source.amazon-ebs.web"]',
            '  sources = ["source.amazon-ebs.web"]\n  post-processor "amazon-import" {}',
            "build.post-processor.amazon-import: amazon-import — expected only manifest",
        ),
        ('  default     = ""\n', "", "variable.endpoint: has no default"),
    ],
)
def test_hcl_is_held_to_the_same_rules(
    problems: Callable[..., list[str]], part: str, instead: str, expected: str
) -> None:
    assert part in HCL

    [problem] = problems(HCL.replace(part, instead, 1), name="web.pkr.hcl")

    assert expected in problem


@pytest.mark.parametrize("written", ["var.image_name", '"${var.image_name}"', '"${ var.image_name }"'])
def test_a_variable_may_be_written_both_ways(inspect: Callable[..., Template], written: str) -> None:
    inspect(HCL.replace("= var.image_name", f"= {written}"), name="web.pkr.hcl")


def test_hcl_in_json_is_the_same(inspect: Callable[..., Template]) -> None:
    [builder] = docker()["builders"]
    del builder["type"]
    text = json.dumps(
        {
            "variable": {name: {"type": "string"} for name in REQUIRED[Platform.DOCKER]},
            "source": {"docker": {"web": builder}},
            "build": {"sources": ["source.docker.web"]},
        }
    )
    for name in REQUIRED[Platform.DOCKER]:
        text = text.replace(use(name), f"${{var.{name}}}")

    assert inspect(text, name="web.pkr.json").platform is Platform.DOCKER


def test_a_folder_is_one_template_of_many_files(tmp_path: Path) -> None:
    declared, _, rest = HCL.partition("locals {")
    (tmp_path / "variables.pkr.hcl").write_text(
        'packer {\n  required_plugins {\n    amazon = {\n      version = ">= 1"\n    }\n  }\n}\n' + declared
    )
    (tmp_path / "web.pkr.hcl").write_text("locals {" + rest)
    (tmp_path / "release.json").write_text("{}")

    found = inspect_template(tmp_path)

    assert (found.platform, found.plugins) == (Platform.AWS, ("amazon",))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("web.json", "{", "web.json:1: is not JSON: Expecting property name"),
        ("web.json", "[]", "web.json: expected an object with variables"),
        ("web.json", "[" * 100_000, "web.json: is no template that packer reads"),
        ("web.json", "\udcff", "web.json: is not UTF-8 at byte 0"),
        ("web.pkr.hcl", 'source "a" "b" {\n  c = \n}\n', "web.pkr.hcl:2: is not HCL2"),
        ("web.pkr.json", "{]", "web.pkr.json:1: is not JSON"),
        ("web.pkr.json", "7", "web.pkr.json: expected an object"),
        ("web.yaml", "a: b", "web.yaml: expected a .pkr.hcl, .pkr.json or .json file"),
        (
            "web.json",
            " " * ((1 << 20) + 1),
            "web.json: 1048577 bytes: expected a template of at most 1048576",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ContractError) as refused:
        inspect_template(tmp_path / name)

    [problem] = refused.value.problems
    assert problem.startswith(expected)


def test_a_template_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"web.json: cannot be read: No such file"):
        inspect_template(tmp_path / "web.json")
    with pytest.raises(ContractError, match=r"there is no .pkr.hcl or .pkr.json file in it"):
        inspect_template(tmp_path)


def test_variables_that_packer_would_take_by_itself_are_refused(tmp_path: Path) -> None:
    (tmp_path / "web.pkr.hcl").write_text(HCL)
    (tmp_path / "web.auto.pkrvars.hcl").write_text('release = "other"')

    with pytest.raises(ContractError, match=r"web.auto.pkrvars.hcl: packer would take variables from it"):
        inspect_template(tmp_path)


_WORDS = [
    *("variables", "builders", "type", "variable", "source", "build", "sources", "docker", "amazon-ebs"),
    *(
        "tags",
        "tag",
        "run_command",
        "post-processors",
        "post-processor",
        "locals",
        "packer",
        "name",
        "commit",
    ),
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_WORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", ["web.json", "web.pkr.json"])
@given(document=_JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_document_whatever_is_anything_but_refused(tmp_path: Path, name: str, document: object) -> None:
    (tmp_path / name).write_text(json.dumps(document))

    with pytest.raises(ContractError):
        inspect_template(tmp_path / name)


@pytest.mark.parametrize("good", [amazon, docker])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_value_whatever_of_a_setting_breaks_the_inspection(
    tmp_path: Path, good: Callable[[], Json], data: st.DataObject
) -> None:
    template = good()
    builder = template["builders"][0]
    name = data.draw(st.sampled_from(sorted({*builder, "tag", "ami_users", "security_group_ids"} - {"type"})))
    builder[name] = data.draw(_JSON)
    (tmp_path / "web.json").write_text(json.dumps(template))

    with suppress(ContractError):
        inspect_template(tmp_path / "web.json")

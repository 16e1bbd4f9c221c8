"""What a build is asked for: the contract, its version, and the files that come along."""

from pathlib import Path

import pytest

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.launch import Launch, Outcome, next_version
from steadfleet_cli.image.launch_text import launch_text, order_text
from steadfleet_cli.image.orders import order_differences, read_order

CONTRACT = """\
apiVersion: steadfleet.dev/v1
kind: GoldenImage
metadata: {name: web}
spec:
  version: 1.4.2  # of the family
  build: {template: web.pkr.hcl, files: [files], base: {name: debian-12}}
  publish:
    regions: [{name: eu-west-1}, {name: us-east-1, required: false}]
    channel: dev
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "web.pkr.hcl").write_text("# a template\n")
    (tmp_path / "files").mkdir()
    (tmp_path / "files/nginx.conf").write_text("worker_processes auto;\n")
    contract = tmp_path / "image.yaml"
    contract.write_text(CONTRACT)
    return contract


def test_the_same_files_are_the_same_order_whoever_asks(file: Path) -> None:
    assert read_order(file, None, "ann").digest == read_order(file, None, "bob").digest


def test_a_version_on_the_command_line_counts(file: Path) -> None:
    order = read_order(file, "1.4.3", "ann")

    assert order.workflow_id == "image/web/1.4.3"


def test_a_bad_version_is_refused_where_it_would_be_written(file: Path) -> None:
    with pytest.raises(CommandError, match=r"image\.yaml:5: spec\.version: one") as refused:
        read_order(file, "one", "ann")

    assert refused.value.code is ExitCode.REFUSED


def test_every_missing_file_is_named(file: Path) -> None:
    (file.parent / "web.pkr.hcl").unlink()
    (file.parent / "files/nginx.conf").unlink()

    with pytest.raises(CommandError) as refused:
        read_order(file, None, "ann")

    assert "web.pkr.hcl: there is no such file" in refused.value.message
    assert "files: is a folder without files" in refused.value.message


def test_a_contract_that_is_not_there_says_how_to_get_one(file: Path) -> None:
    with pytest.raises(CommandError, match="there is no such file") as refused:
        read_order(file.with_name("no.yaml"), None, "ann")

    assert refused.value.code is ExitCode.USAGE
    assert "steadfleet schema GoldenImage" in refused.value.advice


def test_a_text_that_is_no_mapping_is_left_for_the_contract_to_refuse(file: Path) -> None:
    file.write_text("- one\n")

    with pytest.raises(CommandError, match="expected a mapping"):
        read_order(file, "1.4.3", "ann")


def test_orders_differ_in_words_and_in_files(file: Path) -> None:
    before = read_order(file, None, "ann")
    (file.parent / "files/nginx.conf").write_text("changed\n")
    (file.parent / "files/extra.sh").write_text("true\n")
    file.write_text(CONTRACT.replace("debian-12", "debian-13"))

    assert list(order_differences(before, read_order(file, None, "ann"))) == [
        "spec.build.base.name is debian-12 there and debian-13 here",
        "the content of files/extra.sh, files/nginx.conf differs",
    ]


def test_sources_that_cannot_be_read_still_differ(file: Path) -> None:
    order = read_order(file, None, "ann")
    broken = order.model_copy(update={"sources": "bm90IGEgdGFy"})

    assert list(order_differences(broken, order)) == ["the content of files/nginx.conf, web.pkr.hcl differs"]


@pytest.mark.parametrize(
    ("version", "following"), [("1.4.2", "1.4.3"), ("1.4.2-rc.1", "1.4.2"), ("0.9.9", "0.9.10")]
)
def test_the_next_version_is_suggested(version: str, following: str) -> None:
    assert next_version(version) == following


def test_what_will_be_built_is_shown_with_what_is_missing(file: Path) -> None:
    text = order_text(read_order(file, None, "ann"), ("no worker polls task queue signer",))

    assert text.splitlines()[0] == "image web 1.4.2: web.pkr.hcl on debian-12"
    assert "gates: sbom, signature, provenance" in text
    assert "publish: eu-west-1, us-east-1 (best effort); then channel dev" in text
    assert "missing\n  no worker polls task queue signer" in text


@pytest.mark.parametrize(
    ("outcome", "words", "verb"),
    [
        (Outcome.STARTED, "build of web 1.4.2 started", "watch"),
        (Outcome.ATTACHED, "attached, nothing was started", "watch"),
        (Outcome.EXISTS, "is published: nothing to do", "show"),
    ],
)
def test_what_became_of_an_order_is_told_with_the_next_step(
    file: Path, outcome: Outcome, words: str, verb: str
) -> None:
    order = read_order(file, None, "ann")
    launch = Launch(
        family="web",
        version="1.4.2",
        workflow_id=order.workflow_id,
        outcome=outcome,
        order=order.digest,
        ui="",
    )

    assert words in launch_text(launch)
    assert launch_text(launch).endswith(f"next: steadfleet image {verb} web 1.4.2")

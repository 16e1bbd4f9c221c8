"""What packer wrote is read as it was meant, for the releases whose output was recorded."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadfleet_activities.image.packer.output import (
    MOST_BYTES,
    Artifact,
    ArtifactCount,
    Error,
    ErrorCount,
    Event,
    Kind,
    Other,
    Outcome,
    Parser,
    Ui,
    outcome,
    read_line,
    step_of,
)

RECORDINGS = Path(__file__).with_name("recordings")
OLD, MODERN = "1.6.6", "1.11.2"
EVERY = sorted(str(path.relative_to(RECORDINGS)) for path in RECORDINGS.glob("*/*.txt"))


def events_of(data: bytes) -> list[Event]:
    parser = Parser()
    return [*parser.feed(data), *parser.close()]


def recorded(release: str, name: str) -> list[Event]:
    return events_of((RECORDINGS / release / f"{name}.txt").read_bytes())


def outcome_of(release: str, name: str) -> Outcome:
    return outcome(recorded(release, name))


@pytest.mark.parametrize("recording", EVERY)
def test_every_recorded_line_is_known(recording: str) -> None:
    events = events_of((RECORDINGS / recording).read_bytes())

    assert events
    assert not [event for event in events if isinstance(event, Other)]


def test_images_of_several_regions_are_read_apart() -> None:
    made = outcome_of(OLD, "amazon-built")

    assert sorted(made.amis) == ["eu-west-1", "us-east-1"]
    assert all(ami.startswith("ami-") for ami in made.amis.values())
    assert (made.image_id, made.errors) == (None, ())


def test_an_image_of_one_region_is_read_from_a_modern_packer_too() -> None:
    made = outcome_of(MODERN, "amazon-built")

    assert made == Outcome(amis={"eu-west-1": "ami-a166f086041fe9595"})


def test_a_docker_image_is_known_by_its_id_and_not_by_a_tag() -> None:
    made = outcome_of(OLD, "docker-built")

    assert made.image_id is not None
    assert made.image_id.startswith("sha256:")
    assert (made.amis, made.errors) == ({}, ())


def test_what_a_script_writes_to_its_stderr_is_no_error_of_the_build() -> None:
    [aside] = [e for e in recorded(OLD, "docker-built") if isinstance(e, Ui) and e.kind is Kind.ERROR]

    assert aside.text == "==> docker.web: aside"


def test_commas_and_newlines_are_put_back() -> None:
    texts = [event.text for event in recorded(OLD, "docker-built") if isinstance(event, Ui)]

    assert "    docker.web: hello, world" in texts
    assert "\n==> Builds finished. The artifacts of successful builds are:" in texts


@pytest.mark.parametrize(
    ("release", "name", "expected"),
    [
        (OLD, "docker-failed", "Script exited with non-zero exit status: 7.Allowed exit codes are: [0]"),
        (OLD, "null-failed", "Script exited with non-zero exit status: 3.Allowed exit codes are: [0]"),
        (MODERN, "null-failed", "Script exited with non-zero exit status: 3. Allowed exit codes are: [0]"),
        (OLD, "docker-cancelled", "Cancelling build after receiving terminated"),
    ],
)
def test_a_failed_build_says_why_once(release: str, name: str, expected: str) -> None:
    assert outcome_of(release, name) == Outcome(errors=(expected,))


@pytest.mark.parametrize("release", [OLD, MODERN])
@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("amazon-failed", "InvalidAMIID.NotFound: The image id '[ami-00000000000000000]' does not exist"),
        ("template-unreadable", "on web.pkr.hcl line 2, in source"),
        ("template-unknown-field", "unknown configuration key: '\"no_such_field\"'"),
        ("variables-unset", 'Error: Unset variable "base_image"'),
    ],
)
def test_what_packer_refuses_is_in_its_own_words(release: str, name: str, part: str) -> None:
    [error] = outcome_of(release, name).errors

    assert part in error


def test_a_template_that_cannot_be_prepared_has_neither_error_nor_count() -> None:
    events = recorded(MODERN, "template-unknown-field")

    assert not [event for event in events if isinstance(event, Error | ErrorCount)]


def test_an_endless_error_is_cut_and_says_so() -> None:
    [error] = outcome([Error(text="because " * 1_000)]).errors

    assert error.startswith("because because")
    assert error.endswith("(cut: the log has all of it)")
    assert len(error) < 2_100


def test_an_error_of_many_lines_is_one_error() -> None:
    [error] = outcome_of(MODERN, "amazon-create-failed").errors

    assert error.startswith("Error creating AMI: SerializationError")
    assert error.endswith("unquoted or missing attribute value in element")


def test_every_kind_of_event_is_read() -> None:
    assert read_line(b"1,,ui,message,a%!(PACKER_COMMA)b\\nc") == Ui(at=1, kind=Kind.MESSAGE, text="a,b\nc")
    assert read_line(b"1,web,artifact,2,id,x,y") == Artifact(
        at=1, target="web", index=2, key="id", values=("x", "y")
    )
    assert read_line(b"1,web,artifact,0,end") == Artifact(at=1, target="web", index=0, key="end", values=())
    assert read_line(b"1,web,artifact-count,3") == ArtifactCount(at=1, target="web", count=3)
    assert read_line(b"1,web,error,no") == Error(at=1, target="web", text="no")
    assert read_line(b"1,,error-count,1") == ErrorCount(at=1, count=1)
    assert read_line(b"1,,version,1.6.6\r") == Other(at=1, type="version", data=("1.6.6",))


@pytest.mark.parametrize(
    "line",
    [b"panic: nil", b"", b"1", b"1,web", b"x,web,ui,say,hello", b"-1,,ui,say,x", "²,,ui,say,x".encode()],
)
def test_a_line_that_is_no_event_is_kept_as_it_is(line: bytes) -> None:
    assert read_line(line) == Other(type="", data=(line.decode(),))


@pytest.mark.parametrize(
    "line", [b"1,,ui,whisper,x", b"1,,ui,say", b"1,web,artifact,one,id,x", b"1,,error-count"]
)
def test_an_event_of_another_shape_is_kept_as_unknown(line: bytes) -> None:
    assert isinstance(read_line(line), Other)


def test_only_the_builders_own_artifact_counts() -> None:
    lines = [
        b"1,web,artifact,0,id,eu-west-1:ami-0a%!(PACKER_COMMA)nonsense",
        b"1,web,artifact,1,id,eu-west-2:ami-0b",
        b"1,web,artifact,0,string,us-east-1:ami-0c",
    ]

    assert outcome(map(read_line, lines)).amis == {"eu-west-1": "ami-0a"}


def test_the_step_of_a_build_is_one_line_without_its_name() -> None:
    steps = [step for event in recorded(OLD, "amazon-built") if (step := step_of(event))]

    assert steps[0] == "Prevalidating any provided VPC information"
    assert steps[-1] == "Deleting temporary keypair..."
    assert not [step for step in steps if "\n" in step]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    [event] = events_of(b"1,,ui,say," + b"x" * (2 * MOST_BYTES))

    assert isinstance(event, Ui)
    assert len(event.text) == MOST_BYTES - len("1,,ui,say,")


SHAPED = st.lists(
    st.sampled_from(
        [
            *(
                b"1",
                b"9" * 5000,
                b",",
                b",web",
                b",ui",
                b",say",
                b",artifact",
                b",error-count",
                b",0",
                b",id",
            ),
            *(b"\n", b"\r", b"\xff", b"\xc3", b"%!(PACKER_COMMA)", b"\\n", b"us-east-1:ami-0a", b"sha256:"),
        ]
    )
).map(b"".join)


@given(st.binary() | SHAPED)
def test_no_bytes_whatever_are_an_error(data: bytes) -> None:
    events = events_of(data)

    outcome(events)
    assert len(events) == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


@given(st.binary() | SHAPED, st.lists(st.integers(min_value=0, max_value=200)))
def test_it_does_not_matter_where_the_stream_is_cut(data: bytes, cuts: list[int]) -> None:
    parser = Parser()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})

    events = [event for begin, end in pairwise(places) for event in parser.feed(data[begin:end])]

    assert [*events, *parser.close()] == events_of(data)

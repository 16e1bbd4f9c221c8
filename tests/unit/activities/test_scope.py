"""What tags say of a thing: whose it is, and since when it may go."""

from datetime import UTC, datetime, timedelta

import pytest

from steadfleet_activities.janitor.scope import Kind, Scope, Thing, expiry, released

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = "image-web-1"


def thing(made_at: datetime | None = NOON, **tags: str) -> Thing:
    said = {f"steadfleet:{key.replace('_', '-')}": value for key, value in tags.items()}
    return Thing("eu-west-1", Kind.IMAGE, "ami-1", "web-1", said, made_at)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-03-01T12:00:00+00:00", NOON),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T13:00:00+01:00", NOON),
        ("2026-03-01T12:00:00", NOON),
        ("soon", None),
        ("", None),
    ],
)
def test_an_expiry_is_read_or_is_none(said: str, at: datetime | None) -> None:
    assert expiry({"steadfleet:expires-at": said}) == at


def test_a_run_takes_its_own_whenever_it_expires() -> None:
    scope = Scope(run=RUN)

    assert scope.takes(thing(run=RUN, expires_at="2100-01-01T00:00:00Z"))
    assert scope.takes(thing(run=RUN))
    assert not scope.takes(thing(run="image-web-2"))
    assert not scope.takes(thing())


def test_without_a_run_it_takes_what_has_expired_and_nothing_that_does_not_say() -> None:
    scope = Scope(expired_before=NOON)

    assert scope.takes(thing(expires_at="2026-03-01T11:59:59Z"))
    assert not scope.takes(thing(expires_at="2026-03-01T12:00:00Z"))
    assert not scope.takes(thing(expires_at="soon"))
    assert not scope.takes(thing(run=RUN))


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        (thing(), True),
        (thing(run=RUN), True),
        (thing(run="image-web-2"), False),
        (thing(made_at=NOON - timedelta(days=1)), False),
        (thing(made_at=NOON - timedelta(seconds=30)), True),
        (thing(made_at=None), True),
    ],
)
def test_a_name_counts_for_what_was_made_since_the_run_began_and_is_nobody_elses(
    found: Thing, *, taken: bool
) -> None:
    assert Scope(run=RUN, names=("web-1",), since=NOON).takes_by_name(found) is taken


def test_a_family_keeps_an_image() -> None:
    assert released(thing(run=RUN, family="web"))
    assert not released(thing(run=RUN))


def test_only_a_run_gives_names_of_its_own() -> None:
    assert Scope(run=RUN).own_names == (RUN, f"{RUN}-examine")
    assert Scope(expired_before=NOON).own_names == ()

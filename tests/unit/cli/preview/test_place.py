"""Where a preview goes: a secret, its own engine, or production, and production never by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadfleet_cli.preview.place import Place, PlaceError, Where, choose, refuse_address, sentence

GIVEN = {"STEADFLEET_PREVIEW_CONFIG": "preview.toml"}
WORDS = {"STEADFLEET_PREVIEW_ON_PRODUCTION": "run preview 12 on production"}
PRODUCTION = {"TEMPORAL_ADDRESS": "temporal.example.com:7233", "TEMPORAL_NAMESPACE": "fleet-prod"}
KNOWN = {"STEADFLEET_PRODUCTION_ADDRESSES": "temporal.example.com:7233, other.example.com:7233"}
AT = Place("12", Where.GIVEN, "it was said", "preview.toml")


def test_a_secret_comes_first() -> None:
    place = choose("12", GIVEN | PRODUCTION)

    assert (place.where, place.config, place.namespace) == (Where.GIVEN, "preview.toml", "preview-12")


def test_without_a_secret_a_preview_has_its_own_engine() -> None:
    assert choose("12", {}).where is Where.OWN


def test_what_a_runner_knows_of_production_is_not_heard() -> None:
    assert choose("12", PRODUCTION | {"TEMPORAL_API_KEY": "secret"}).where is Where.OWN


def test_production_is_taken_when_it_is_said_in_words() -> None:
    place = choose("12", WORDS | PRODUCTION)

    assert (place.where, place.namespace) == (Where.PRODUCTION, "preview-12")


@given(
    st.dictionaries(st.sampled_from([*GIVEN, *PRODUCTION, "TEMPORAL_PROFILE", *WORDS]), st.text(max_size=40))
)
def test_nothing_else_than_the_words_leads_to_production(env: dict[str, str]) -> None:
    try:
        place = choose("12", env)
    except PlaceError:
        return

    assert place.where is not Where.PRODUCTION or env[next(iter(WORDS))] == sentence("12")


@pytest.mark.parametrize(
    "said", ["yes", "true", "1", "run preview 13 on production", "Run preview 12 on production"]
)
def test_words_that_are_not_the_sentence_are_refused_and_lead_nowhere(said: str) -> None:
    with pytest.raises(PlaceError, match="run preview 12 on production"):
        choose("12", PRODUCTION | {next(iter(WORDS)): said})


def test_a_secret_and_the_words_contradict_each_other() -> None:
    with pytest.raises(PlaceError, match="remove one"):
        choose("12", GIVEN | WORDS | PRODUCTION)


def test_production_without_its_address_is_refused() -> None:
    with pytest.raises(PlaceError, match="TEMPORAL_ADDRESS"):
        choose("12", WORDS)


@pytest.mark.parametrize("change", ["", "-12", "feature/x", "A", "a" * 41, "12 "])
def test_a_name_that_no_namespace_can_have_is_refused(change: str) -> None:
    with pytest.raises(PlaceError, match="expected up to 40"):
        choose(change, {})


@pytest.mark.parametrize("address", ["temporal.example.com:7233", "OTHER.example.com:7233"])
def test_a_secret_that_names_production_is_refused(address: str) -> None:
    with pytest.raises(PlaceError, match="which is production"):
        refuse_address(AT, address, KNOWN)


def test_a_secret_is_refused_while_nobody_has_said_what_production_is() -> None:
    with pytest.raises(PlaceError, match="STEADFLEET_PRODUCTION_ADDRESSES is not set"):
        refuse_address(AT, "temporal.example.com:7233", {})


def test_another_server_is_taken() -> None:
    refuse_address(AT, "previews.example.com:7233", KNOWN)
    refuse_address(AT, "previews.example.com:7233", {"STEADFLEET_PRODUCTION_ADDRESSES": "none"})


@pytest.mark.parametrize("address", ["p.a1b2c.tmprl.cloud:7233", "eu-central-1.aws.api.temporal.io:7233"])
@pytest.mark.parametrize("where", [Where.GIVEN, Where.PRODUCTION])
def test_temporal_cloud_is_refused_for_it_makes_no_namespace_this_way(where: Where, address: str) -> None:
    with pytest.raises(PlaceError, match="control plane"):
        refuse_address(Place("12", where, "it was said"), address, KNOWN)

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.dating import Dating
from fakes.trust import NOW, image, new_signer, plain, trusted_key, trusting
from steadfleet_signing import Bundle, TrustMaterial, verify_bundle
from steadfleet_signing.bundle import SignedTimestamp, TimestampData
from steadfleet_signing.errors import ExpiredKeyError, FutureTimestampError
from steadfleet_signing.timestamps import TimestampRefusedError, authorities_of, trusted_time

SIGNER = new_signer()
RAW = SIGNER.sign(plain(image()))
ROTATED = NOW - timedelta(days=30)


def dated(dating: Dating, *times: datetime, over: bytes | None = None) -> bytes:
    bundle = Bundle.parse(RAW)
    message = over or bundle.dsse_envelope.signature
    stamps = tuple(SignedTimestamp(signed_timestamp=dating.stamp(message, time)) for time in times)
    data = TimestampData(rfc3161_timestamps=stamps)
    material = bundle.verification_material.model_copy(update={"timestamp_verification_data": data})
    return bundle.model_copy(update={"verification_material": material}).to_json()


def trust(dating: Dating, **key: datetime) -> TrustMaterial:
    written = {name: time.isoformat() for name, time in key.items()}
    return TrustMaterial.of(trusting(trusted_key(SIGNER, **written)), dating.trusted_root)


def test_an_authority_tells_when_the_signature_was_there(dating: Dating) -> None:
    verified = verify_bundle(dated(dating, ROTATED), trust(dating), now=NOW)

    assert verified.times == (ROTATED,)
    assert verified.notes == ()


def test_what_was_signed_before_a_key_was_rotated_is_still_good(dating: Dating) -> None:
    before = ROTATED - timedelta(seconds=1)

    verified = verify_bundle(dated(dating, before), trust(dating, validUntil=ROTATED), now=NOW)

    assert verified.signer == SIGNER.identity


def test_what_was_signed_after_a_key_was_rotated_is_refused(dating: Dating) -> None:
    after = ROTATED + timedelta(seconds=1)

    with pytest.raises(
        ExpiredKeyError, match=r"key release was valid until 2026-05-02 .* signed by 2026-05-02"
    ):
        verify_bundle(dated(dating, after), trust(dating, validUntil=ROTATED), now=NOW)


def test_without_a_timestamp_a_rotated_key_proves_nothing(dating: Dating) -> None:
    with pytest.raises(ExpiredKeyError, match="no trusted timestamp says that it was signed before"):
        verify_bundle(RAW, trust(dating, validUntil=ROTATED), now=NOW)


def test_a_key_that_is_still_valid_needs_no_timestamp(dating: Dating) -> None:
    material = trust(dating, validFrom=ROTATED, validUntil=NOW + timedelta(days=1))

    assert verify_bundle(RAW, material, now=NOW).times == ()


def test_a_key_is_not_valid_before_its_time(dating: Dating) -> None:
    with pytest.raises(ExpiredKeyError, match="valid from 2026-05-02"):
        verify_bundle(dated(dating, ROTATED - timedelta(days=1)), trust(dating, validFrom=ROTATED), now=NOW)


def test_a_time_to_come_is_refused(dating: Dating) -> None:
    with pytest.raises(FutureTimestampError, match="is a clock wrong"):
        verify_bundle(dated(dating, NOW + timedelta(minutes=6)), trust(dating), now=NOW)


def test_an_authority_may_be_a_little_fast(dating: Dating) -> None:
    assert verify_bundle(dated(dating, NOW + timedelta(minutes=4)), trust(dating), now=NOW).times


def test_a_stranger_dates_nothing(dating: Dating, other_dating: Dating) -> None:
    verified = verify_bundle(dated(other_dating, ROTATED), trust(dating), now=NOW)

    assert verified.times == ()
    assert "a timestamp does not count" in verified.notes[0]


def test_a_timestamp_over_another_signature_dates_nothing(dating: Dating) -> None:
    verified = verify_bundle(dated(dating, ROTATED, over=b"another"), trust(dating), now=NOW)

    assert verified.times == ()
    assert "Mismatch between messages" in verified.notes[0]


def test_one_bad_timestamp_among_good_ones_is_noted(dating: Dating) -> None:
    content = json.loads(dated(dating, ROTATED))
    stamps = content["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    stamps.append({"signedTimestamp": "AAAA"})

    verified = verify_bundle(json.dumps(content).encode(), trust(dating), now=NOW)

    assert verified.times == (ROTATED,)
    assert "no RFC 3161 response" in verified.notes[0]


def test_an_authority_that_was_retired_dates_nothing_later(dating: Dating) -> None:
    root = json.loads(dating.trusted_root)
    root["timestampAuthorities"][0]["validFor"]["end"] = (ROTATED - timedelta(days=1)).isoformat()
    material = TrustMaterial.of(trusting(trusted_key(SIGNER)), json.dumps(root).encode())

    verified = verify_bundle(dated(dating, ROTATED), material, now=NOW)

    assert verified.times == ()
    assert "when its authority was not trusted" in verified.notes[0]


def test_without_a_trusted_root_timestamps_say_nothing(dating: Dating) -> None:
    material = TrustMaterial.of(trusting(trusted_key(SIGNER)))

    verified = verify_bundle(dated(dating, ROTATED), material, now=datetime.now(UTC))

    assert "trustedRoot has no timestamp authority" in verified.notes[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2000), by=st.integers(1, 255))
def test_a_flipped_byte_of_a_timestamp_never_tells_another_time(dating: Dating, at: int, by: int) -> None:
    stamp = bytearray(dating.stamp(b"signature", ROTATED))
    stamp[at % len(stamp)] ^= by

    try:
        time = trusted_time(bytes(stamp), b"signature", authorities_of(dating.trusted_root))
    except TimestampRefusedError:
        return
    assert time == ROTATED

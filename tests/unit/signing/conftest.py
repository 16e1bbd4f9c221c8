from collections.abc import Iterator
from datetime import datetime

import pytest

from fakes.dating import Dating
from fakes.serving import serving
from fakes.sigstore import keys, timestamps


@pytest.fixture
def dating(monkeypatch: pytest.MonkeyPatch) -> Dating:
    def set_clock(at: datetime) -> None:
        monkeypatch.setattr(keys, "now", lambda: at)
        monkeypatch.setattr(timestamps, "now", lambda: at)

    return Dating(set_clock)


@pytest.fixture
def other_dating(monkeypatch: pytest.MonkeyPatch, dating: Dating) -> Dating:
    return Dating(dating._set_clock)


@pytest.fixture
def dating_url(dating: Dating) -> Iterator[str]:
    with serving(dating.answer) as host:
        yield f"http://{host}/"

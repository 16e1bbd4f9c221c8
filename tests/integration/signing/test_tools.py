"""A verifier that is missing is named; in CI it is no excuse."""

import json
from pathlib import Path

import pytest
from integration.signing import tools

LOCK = Path(__file__).with_name("sigstore_js") / "package-lock.json"


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "_places", lambda: {"cosign": str(tmp_path / "cosign")})


def test_what_is_missing_skips_and_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"cosign is missing: run \.ci/interop"):
        tools.installed("cosign")


def test_what_is_missing_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match=r"cosign is missing: run \.ci/interop"):
        tools.installed("cosign")


def test_the_lock_names_hashes_and_no_registry() -> None:
    packages = json.loads(LOCK.read_text())["packages"]
    locked = [package for path, package in packages.items() if path]

    assert locked
    assert all(package["integrity"].startswith("sha512-") for package in locked)
    assert not any("resolved" in package for package in locked)

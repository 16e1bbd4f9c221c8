from pathlib import Path

from steadfleet_local_cloud.apt_sources import Source, read_sources

KEY = "/usr/share/keyrings/archive.gpg"


def test_both_forms_are_read(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb http://one.example/debian bookworm main contrib # ours\n"
        "deb-src http://one.example/debian bookworm main\n"
        f"deb [arch=amd64 signed-by={KEY}] http://two.example/debian-security bookworm-security main\n"
    )
    (parts / "debian.sources").write_text(
        "# generated\n"
        "Types: deb deb-src\n"
        "URIs: http://three.example/debian\n"
        "Suites: bookworm bookworm-updates\n"
        "# contrib is not wanted\n"
        "Components: main\n"
        f"Signed-By: {KEY}\n"
        "\n"
        "Enabled: no\n"
        "Types: deb\n"
        "URIs: http://four.example/debian\n"
        "Suites: bookworm\n"
        "Components: main\n"
    )
    (parts / "other.list.disabled").write_text("deb http://five.example/debian bookworm main\n")

    assert [source.line for source in read_sources(tmp_path)] == [
        "deb http://one.example/debian bookworm main",
        f"deb [signed-by={KEY}] http://two.example/debian-security bookworm-security main",
        f"deb [signed-by={KEY}] http://three.example/debian bookworm main",
        f"deb [signed-by={KEY}] http://three.example/debian bookworm-updates main",
    ]


def test_a_key_within_the_file_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "one.sources").write_text(
        "Types: deb\nURIs: http://one.example/debian\nSuites: bookworm\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEabcd\n"
    )

    (source,) = read_sources(tmp_path)

    assert source.signed_by == ""


def test_only_the_releases_own_archives_serve_it() -> None:
    def serves(suite: str, *components: str) -> bool:
        return Source("http://one.example/debian", suite, components).serves("bookworm")

    assert serves("bookworm", "main", "contrib")
    assert serves("bookworm-security", "main")
    assert serves("bookworm-updates", "main")
    assert not serves("bookworm", "stable")
    assert not serves("bookworm-backports", "main")
    assert not serves("trixie", "main")


def test_no_configuration_is_no_source(tmp_path: Path) -> None:
    assert read_sources(tmp_path) == []

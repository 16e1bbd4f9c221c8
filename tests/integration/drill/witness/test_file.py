"""The ledgers' file is followed while the witness works: what it says now is kept, and nothing else."""

from pathlib import Path

import pytest

from steadfleet_activities.drill.witness.keeper import Keeper
from steadfleet_activities.drill.witness.ledgers import Ledgers, LedgerWatch
from steadfleet_activities.drill.witness.spec import LedgerSpec
from steadfleet_core.errors import RefusedError

LEDGER = """\
- name: {name}
  host: {host}
  database: shop
  user: witness
  password: {{environment: PASSWORD}}
"""


class FakeKeeper(Keeper):
    """Writes nothing; it ends when it is told to, unless it hangs."""

    def __init__(self, spec: LedgerSpec) -> None:
        self.spec = spec
        self.hangs = False
        self.started = False
        self.left = False

    def start(self) -> None:
        self.started = True

    def leave(self) -> None:
        self.left = True

    @property
    def leaving(self) -> bool:
        return self.left

    def join(self) -> bool:
        return self.left and not self.hangs


class Site:
    """A file, and all keepers that were ever made for it."""

    def __init__(self, path: Path) -> None:
        self.file = path / "ledgers.yaml"
        self.made: list[FakeKeeper] = []
        self.spoiled = ""
        self.ledgers = Ledgers(self._make)
        self.watch = LedgerWatch(self.file, self.ledgers)

    def say(self, **hosts: str) -> None:
        ledgers = "".join(LEDGER.format(name=name, host=host) for name, host in hosts.items())
        self.file.write_text(f"ledgers:\n{ledgers}" if ledgers else "ledgers: []\n")
        self.watch.look()

    @property
    def living(self) -> list[tuple[str, str]]:
        return [(one.spec.name, one.spec.host) for one in self.made if one.started and not one.left]

    def _make(self, spec: LedgerSpec) -> Keeper:
        if spec.name == self.spoiled:
            raise RefusedError(f"the journal of {spec.name} was changed")
        self.made.append(FakeKeeper(spec))
        return self.made[-1]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_ledger_that_is_new_in_the_file_is_begun_and_the_others_go_on(site: Site) -> None:
    site.say(orders="one")
    site.say(orders="one", carts="two")

    assert site.living == [("orders", "one"), ("carts", "two")]
    assert sorted(site.ledgers) == ["carts", "orders"]


def test_a_ledger_that_is_gone_from_the_file_is_ended(site: Site) -> None:
    site.say(orders="one", carts="two")
    site.say(carts="two")

    assert site.living == [("carts", "two")]
    assert "orders" not in site.ledgers


def test_a_ledger_that_was_changed_is_ended_and_begun_anew(site: Site) -> None:
    site.say(orders="one")
    site.say(orders="another")

    assert site.living == [("orders", "another")]
    assert site.ledgers["orders"].spec.host == "another"


def test_a_broken_file_is_told_once_and_the_ledgers_go_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.say(orders="one")
    site.file.write_text("ledgers:\n- nam: orders\n")
    site.watch.look()
    site.watch.look()

    assert site.living == [("orders", "one")]
    (said,) = caplog.messages
    assert "the ledgers' file cannot be followed" in said
    assert "ledgers[0].nam" in said


def test_a_file_that_is_gone_ends_no_ledger(site: Site) -> None:
    site.say(orders="one")
    site.file.unlink()
    site.watch.look()

    assert site.living == [("orders", "one")]


def test_a_ledger_that_hangs_has_no_second_writer_beside_it(site: Site) -> None:
    site.say(orders="one")
    site.made[0].hangs = True
    site.say(orders="another")
    assert site.living == []
    assert len(site.made) == 1

    site.made[0].hangs = False
    site.watch.look()

    assert site.living == [("orders", "another")]


def test_a_ledger_that_hung_and_is_wanted_as_before_is_begun_anew(site: Site) -> None:
    site.say(orders="one")
    site.made[0].hangs = True
    site.say()
    site.made[0].hangs = False
    site.say(orders="one")

    assert site.living == [("orders", "one")]


def test_a_journal_that_cannot_be_gone_on_with_keeps_no_other_ledger_back(site: Site) -> None:
    site.spoiled = "carts"
    site.say(orders="one", carts="two", returns="three")
    assert sorted(site.living) == [("orders", "one"), ("returns", "three")]

    site.spoiled = ""
    site.watch.look()

    assert len(site.living) == 3

"""Which ledgers a witness keeps, as its operator wrote them down."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from steadfleet_core.contract import read_contract
from steadfleet_core.drill.plan import Secret, twice
from steadfleet_core.errors import ContractError
from steadfleet_core.model import Contract, Duration, Name, Port, Text, between

TABLE = "steadfleet_ledger"


class LedgerSpec(Contract):
    """A ledger of acknowledged writes: one row an `interval` into a table of the store that serves."""

    name: Name
    host: Text
    port: Port = 5432
    database: Text
    user: Text
    password: Secret
    table: str = Field(
        default=TABLE,
        pattern=r"^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$",
        description="a table's name in lower case, such as steadfleet_ledger or audit.steadfleet_ledger",
    )
    interval: Annotated[Duration, between(timedelta(milliseconds=100), timedelta(hours=1))] = timedelta(
        seconds=1
    )
    retention: Annotated[Duration, between(timedelta(hours=1), timedelta(days=3650))] = timedelta(days=30)

    @property
    def place(self) -> str:
        return f"{self.table} in {self.database} at {self.host}:{self.port}"


class LedgerFile(Contract):
    ledgers: tuple[LedgerSpec, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        problem = next(
            (f"ledger {name} is there twice" for name in twice(one.name for one in self.ledgers)), ""
        )
        if problem:
            raise ValueError(f"{problem}: expected each name once")
        return self


def read_ledgers(file: Path) -> tuple[LedgerSpec, ...]:
    """Read the file that lists the ledgers; raises `ContractError` with every problem and its line."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError([f"{file}: {error}; expected a YAML file that lists ledgers"]) from error
    return read_contract(text, str(file), LedgerFile).ledgers

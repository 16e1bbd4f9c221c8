"""How the copy runs: alone, on loopback, and with no way back to production."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

ALWAYS = (
    "-c archive_mode=off",
    "-c max_logical_replication_workers=0",
)
"""On the server's command line, where nothing that the copied data says is stronger.

A copy that archives would write into production's archive; a copied subscription would take what
production's publisher still owes to the real subscriber.
"""

_CONF = """\
listen_addresses = {address}
port = {port}
unix_socket_directories = '.'
unix_socket_permissions = 0700
dynamic_shared_memory_type = mmap
max_connections = {max_connections}
max_worker_processes = {max_worker_processes}
max_wal_senders = {max_wal_senders}
max_prepared_transactions = {max_prepared_xacts}
max_locks_per_transaction = {max_locks_per_xact}
wal_level = replica
archive_mode = off
archive_command = ''
ssl = off
logging_collector = off
log_destination = 'stderr'
timezone = 'UTC'
log_timezone = 'UTC'
"""
# `md5` takes SCRAM too: whichever way the source keeps its passwords, they go on working. The socket
# lies in the data's own folder, which only the server's account may enter.
_HBA = "local all all trust\nhost all all 127.0.0.0/8 md5\nhost all all ::1/128 md5\n"

_LEAST = {
    "max_connections": 100,
    "max_worker_processes": 8,
    "max_wal_senders": 10,
    "max_prepared_xacts": 0,
    "max_locks_per_xact": 64,
}
"""By the names that pg_controldata has for them; a copy with less than the source does not start."""


@dataclass(frozen=True)
class Endpoint:
    """Where the copy answers."""

    host: str
    port: int


@dataclass(frozen=True)
class Replay:
    """Replay an archive, up to a moment, or to its end."""

    archive: Path | None
    until: datetime | None = None

    def lines(self) -> list[str]:
        # Nobody is let in before it is promoted: half-recovered data is no recovered data.
        lines = ["hot_standby = off", "recovery_target_action = promote"]
        fetch = f'cp {quote(str(self.archive)).replace("%", "%%")}/%f "%p"' if self.archive else "false"
        lines.append(f"restore_command = {conf_value(fetch)}")
        if self.until is not None:
            lines.append(f"recovery_target_time = '{self.until.astimezone(UTC).isoformat(sep=' ')}'")
        return lines


@dataclass(frozen=True)
class Follow:
    """Follow a source, as long as it may."""

    host: str
    port: int
    user: str
    passfile: Path
    name: str

    def lines(self) -> list[str]:
        said = {
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            "passfile": str(self.passfile),
            "application_name": self.name,
            "connect_timeout": "10",
        }
        info = " ".join(f"{key}={_info_value(value)}" for key, value in said.items())
        return ["hot_standby = on", f"primary_conninfo = {conf_value(info)}"]


def configuration(endpoint: Endpoint, control: dict[str, int], role: Replay | Follow | None) -> str:
    """Write the whole of postgresql.conf; of the source's own settings none is taken over."""
    limits = {name: max(least, control.get(name, 0)) for name, least in _LEAST.items()}
    text = _CONF.format(address=conf_value(endpoint.host), port=endpoint.port, **limits)
    lines = role.lines() if role else ["primary_conninfo = ''", "restore_command = ''"]
    return text + "".join(f"{line}\n" for line in lines)


def host_based_access(callers: str = "") -> str:
    """Let in who is on this host, and the callers (CIDR) of a drill's own network."""
    return f"{_HBA}host all all {callers} md5\n" if callers else _HBA


def conf_value(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def pass_line(user: str, password: str) -> str:
    """Write a line of a password file, for any server and database."""
    return f"*:*:*:{_pass_field(user)}:{_pass_field(password)}\n"


def _pass_field(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _info_value(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

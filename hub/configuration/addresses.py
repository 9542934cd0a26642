"""What `bus` and `journal` may name: a file of SQLite, Kafka's brokers, a PostgreSQL database."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from hub.errors import SettingsError

_SQLITE = "sqlite:///"
_KAFKA = "kafka://"
_POSTGRES = "postgresql"

_BROKER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_KAFKA_FORM = (
    "should be kafka://HOST:PORT,HOST:PORT; topics, users and options stand under `kafka` in the "
    "settings"
)
_POSTGRES_FORM = "should be postgresql://USER@HOST:PORT/DATABASE; no options are taken"
_POSTGRES_PORT = 5432
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """A file of one machine, which one process owns."""

    path: Path


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Brokers that tell of the others, each as HOST:PORT."""

    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A database, and who logs in to it."""

    host: str
    port: int
    user: str
    database: str


def bus_address(url: str) -> SqliteAddress | KafkaAddress:
    """Read `bus`. Raises SettingsError, without a place."""
    if url.startswith(_KAFKA):
        return _kafka(url)
    return _sqlite(url, f"{_KAFKA}HOST:PORT")


def journal_address(url: str) -> SqliteAddress | PostgresAddress:
    """Read `journal`. Raises SettingsError, without a place."""
    if url.startswith(f"{_POSTGRES}://"):
        return _postgres(url)
    return _sqlite(url, f"{_POSTGRES}://USER@HOST/DATABASE")


def anchored_address(url: str, base: Path) -> str:
    """Return the address with a relative file in it starting at `base`."""
    file = url.removeprefix(_SQLITE)
    return url if file == url else f"{_SQLITE}{base / file}"


def on_this_machine(host: str) -> bool:
    """Say whether what is sent to the host leaves the machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _sqlite(url: str, other: str) -> SqliteAddress:
    file = url.removeprefix(_SQLITE)
    if file == url or not file or file.endswith("/"):
        raise SettingsError(
            [f"should be sqlite:///FILE, where FILE may begin with another /, or {other}"]
        )
    if file.startswith(":") or "?" in file or "#" in file:
        raise SettingsError(["should name a file: what is in memory is lost; no options are taken"])
    return SqliteAddress(Path(file))


def _kafka(url: str) -> KafkaAddress:
    servers = tuple(url.removeprefix(_KAFKA).rstrip("/").split(","))
    if not all(_BROKER.fullmatch(one) and _is_port(one.rpartition(":")[2]) for one in servers):
        raise SettingsError([_KAFKA_FORM])
    return KafkaAddress(servers)


def _postgres(url: str) -> PostgresAddress:
    try:
        parts = urlsplit(url)
        port = parts.port or _POSTGRES_PORT
    except ValueError as error:
        raise SettingsError([_POSTGRES_FORM]) from error
    database = parts.path.removeprefix("/")
    if parts.password is not None:
        raise SettingsError(["must not hold a password: name it under `postgres` in the settings"])
    if not (parts.hostname and parts.username and _is_name(database)) or _has_options(parts):
        raise SettingsError([_POSTGRES_FORM])
    return PostgresAddress(host=parts.hostname, port=port, user=parts.username, database=database)


def _has_options(parts: SplitResult) -> bool:
    return bool(parts.query or parts.fragment)


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_.-]+", text) is not None


def _is_port(text: str) -> bool:
    return 0 < int(text) <= _MAX_PORT

"""How the brokers are reached: makes aiokafka's clients."""

import ssl
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from hub.configuration import on_this_machine
from hub.errors import SettingsError
from hub.secrets import SecretPlace
from hub.settings import KafkaSettings

LARGEST_BYTES = 32 * 1024 * 1024
"""The largest record: GitHub's 25 MiB, and room for what stands around a body."""

REQUEST_SECONDS = 4.0
"""For one answer of a broker. A slower one is as good as gone, and an append has 6 s in all."""

SESSION_SECONDS = 10.0
"""After which a member that is not heard of has lost its partitions to the others."""

HEARTBEAT_SECONDS = 1.0
"""How soon a member notices that the group is shared out anew: all of them wait for the last."""

_JOIN_SECONDS = SESSION_SECONDS + REQUEST_SECONDS
"""For an answer to a member, which may have to wait until all others have joined again."""

_FETCH_BYTES = 8 * 1024 * 1024
_PARTITION_FETCH_BYTES = 1024 * 1024
"""In one answer, and of one partition in it. A larger record comes all the same, but alone."""

FAILURES = (KafkaError, OSError, TimeoutError)
"""What a broker that cannot be reached, or does not want to, looks like."""


def words_of(error: BaseException) -> str:
    """Say what failed, without the addresses and texts that aiokafka writes out at length."""
    return type(error).__name__ if isinstance(error, KafkaError) else str(error) or repr(error)


class Cluster:
    """The brokers."""

    def __init__(
        self,
        *,
        servers: Sequence[str],
        settings: KafkaSettings,
        password: SecretPlace | None,
        instance: str,
    ) -> None:
        """`servers` are `HOST:PORT`. Raises SettingsError where a certificate cannot be used."""
        self._servers = list(servers)
        self._settings = settings
        self._password = password
        self._instance = instance
        self._security()

    @property
    def where(self) -> str:
        """The brokers, for people."""
        return ", ".join(self._servers)

    def new_producer(self, *, batch_bytes: int) -> AIOKafkaProducer:
        """Make what appends.

        It partitions by the key as the Java client does (murmur2), so whoever else appends to the
        topic with that client's default agrees with it. It stores what it retries once, and in
        order (idempotence), and has one batch on its way to a partition at a time.
        """
        return AIOKafkaProducer(
            **self._common(REQUEST_SECONDS),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=batch_bytes,
            # What a topic takes is known better there: see `Limits`.
            max_request_size=2 * LARGEST_BYTES,
        )

    def new_member(self, group: str) -> AIOKafkaConsumer:
        """Make a member of a consumer group.

        No static membership: it would keep the partitions of a worker that is gone for a whole
        session, and a restart that leaves the group hands them over at once.
        """
        return AIOKafkaConsumer(
            **self._common(_JOIN_SECONDS),
            **_fetching(),
            group_id=self.group_id(group),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=_ms(SESSION_SECONDS),
            rebalance_timeout_ms=_ms(SESSION_SECONDS),
            heartbeat_interval_ms=_ms(HEARTBEAT_SECONDS),
        )

    def new_reader(self, topics: Sequence[str]) -> AIOKafkaConsumer:
        """Make what looks at all partitions of these topics, and belongs to no group."""
        return AIOKafkaConsumer(
            *topics,
            **self._common(REQUEST_SECONDS),
            **_fetching(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    def new_admin(self) -> AIOKafkaAdminClient:
        """Make what creates topics and describes them."""
        return AIOKafkaAdminClient(**self._common(REQUEST_SECONDS))

    def group_id(self, group: str) -> str:
        """Return a group's name on the brokers, which other installations may share."""
        return f"{self._instance}.{group}"

    def _common(self, request_seconds: float) -> dict[str, Any]:
        return {
            "bootstrap_servers": self._servers,
            "client_id": f"{self._instance}-{uuid4().hex[:8]}",
            "request_timeout_ms": _ms(request_seconds),
            **self._security(),
        }

    def _security(self) -> dict[str, Any]:
        settings = self._settings
        tls = settings.tls if settings.tls is not None else not _all_local(self._servers)
        protocol = "SSL" if tls else "PLAINTEXT"
        security: dict[str, Any] = {"ssl_context": self._tls()} if tls else {}
        if settings.username is None or self._password is None:
            return {"security_protocol": protocol, **security}
        return {
            "security_protocol": f"SASL_{protocol}",
            "sasl_mechanism": settings.mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": self._password.read_again().expose(),
            **security,
        }

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        place = "ca_file"
        try:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.certificate_file is not None:
                place = "certificate_file"
                context.load_cert_chain(settings.certificate_file, settings.key_file)
        except (OSError, ValueError) as error:
            raise SettingsError(
                [f"kafka.{place} cannot be used ({type(error).__name__})"]
            ) from error
        return context


def _fetching() -> dict[str, Any]:
    return {
        "fetch_max_bytes": _FETCH_BYTES,
        "max_partition_fetch_bytes": _PARTITION_FETCH_BYTES,
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _all_local(servers: Sequence[str]) -> bool:
    return all(on_this_machine(server.rpartition(":")[0]) for server in servers)

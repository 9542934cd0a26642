"""Ends aiokafka's clients within a bounded time, whatever the brokers do."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ProducerClosed

Close = Callable[[], Coroutine[Any, Any, None]]

_CLOSE_SECONDS = 3.0
"""For one step. A client that works is closed in milliseconds."""

_log = structlog.get_logger()


async def discard_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer without waiting for what the brokers did not take."""
    # `stop` alone would wait for it for ever, and there is no public way to let go of it.
    sender, accumulator = producer._sender, producer._message_accumulator  # noqa: SLF001
    await _within(sender.close)
    accumulator._batches.clear()  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    await _within(producer.stop)


async def discard_consumer(consumer: AIOKafkaConsumer) -> None:
    """Close a consumer; what it cannot finish in time is ended all the same."""
    if await _within(consumer.stop):
        return
    # As above: what it was kept from closing.
    parts: list[Close] = [consumer._client.close]  # noqa: SLF001
    if (coordinator := consumer._coordinator) is not None:  # noqa: SLF001
        parts += [
            coordinator.close,
            coordinator._stop_heartbeat_task,  # noqa: SLF001
            coordinator._stop_commit_offsets_refresh_task,  # noqa: SLF001
        ]
    if (fetcher := consumer._fetcher) is not None:  # noqa: SLF001
        parts.append(fetcher.close)
    await asyncio.gather(*map(_within, parts))


async def discard_admin(admin: AIOKafkaAdminClient) -> None:
    """Close an administrator."""
    await _within(admin.close)


async def _within(close: Close) -> bool:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await close()
    except Exception as error:  # noqa: BLE001  the library's own faults must not keep it open
        _log.info("kafka_close_failed", error=type(error).__name__)
        return False
    return True

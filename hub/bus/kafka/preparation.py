"""Sees to it that the topics are there, and are as they should be."""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    KafkaError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from hub.bus.kafka.closing import discard_admin
from hub.bus.kafka.cluster import FAILURES, LARGEST_BYTES, Cluster, words_of
from hub.bus.kafka.shared import Shared
from hub.bus.kafka.topics import Limits, Topics
from hub.errors import SettingsError, StorageError
from hub.settings import KafkaSettings

PREPARE_SECONDS = 15.0
"""For creating topics, which some clusters take seconds for."""

_ROOM_FOR_REASONS = 64 * 1024
"""What a dead letter may be larger than the record it was."""

_LOOK_AGAIN_SECONDS = 0.1

_NOT_ALLOWED = (
    ClusterAuthorizationFailedError,
    TopicAuthorizationFailedError,
    PolicyViolationError,
)

_log = structlog.get_logger()


class PreparedTopics:
    """The topics, looked at when a broker is reached for the first time."""

    def __init__(self, *, cluster: Cluster, settings: KafkaSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._preparing = Shared(self._prepare, name="kafka-topics")
        self._limits: Limits | None = None

    async def limits(self) -> Limits:
        """Return what is to be known of them. Raises as `prepare`."""
        return self._limits or await self._preparing.result()

    async def close(self) -> None:
        """End looking at them."""
        await self._preparing.close()

    async def _prepare(self) -> Limits:
        self._limits = await prepare(self._cluster, self._settings)
        return self._limits


async def prepare(cluster: Cluster, settings: KafkaSettings) -> Limits:
    """Create the topics that are missing, and look at those that are there.

    Raises SettingsError where the settings must be changed, or a topic created by somebody who
    may, and StorageError where the brokers cannot be reached.
    """
    admin = cluster.new_admin()
    try:
        async with asyncio.timeout(PREPARE_SECONDS):
            await admin.start()
            return await _prepare(admin, Topics(settings), settings)
    except FAILURES as error:
        raise StorageError(
            f"the topics on {cluster.where} cannot be looked at ({words_of(error)})"
        ) from error
    finally:
        await discard_admin(admin)


async def _prepare(admin: AIOKafkaAdminClient, topics: Topics, settings: KafkaSettings) -> Limits:
    there = await _present(admin, topics.all)
    if missing := [name for name in topics.all if name not in there]:
        if not settings.create_topics:
            raise _missing(missing, "and kafka.create_topics is false")
        await _create(admin, missing, settings)
        while any(name not in there for name in missing):
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            there = await _present(admin, topics.all)
    for name in topics.names:
        _compare(name, there[name], settings)
    return await _limits(admin, topics.all, settings)


async def _present(
    admin: AIOKafkaAdminClient, names: Iterable[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the partitions of those topics that are there."""
    # All topics, for a broker that is asked for one by its name may create it as it likes.
    described = await admin.describe_topics()
    return {
        topic["topic"]: topic["partitions"]
        for topic in described
        if topic["topic"] in names and topic["partitions"]
    }


async def _create(admin: AIOKafkaAdminClient, names: list[str], settings: KafkaSettings) -> None:
    response: Any = await admin.create_topics([_new_topic(name, settings) for name in names])
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if issubclass(error, _NOT_ALLOWED):
            raise _missing(names, "and may not be created with kafka.create_topics")
        if issubclass(error, InvalidReplicationFactorError):
            raise SettingsError(
                [f"topic {name} cannot have {settings.replication} copies: see kafka.replication"]
            )
        if code and not issubclass(error, TopicAlreadyExistsError):
            raise KafkaError(f"topic {name}: {error.__name__}")
        _log.info("topic_created", topic=name)


def _new_topic(name: str, settings: KafkaSettings) -> NewTopic:
    dead = name not in Topics(settings).names
    return NewTopic(
        name,
        # Dead letters are few, and one partition keeps them in the order they were found.
        1 if dead else settings.partitions,
        settings.replication,
        topic_configs={
            # With one copy missing an append still goes on, and is on two disks where it can be.
            "min.insync.replicas": str(_copies(settings)),
            "max.message.bytes": str(LARGEST_BYTES + (_ROOM_FOR_REASONS if dead else 0)),
            # When the log received it: a producer's clock may be wrong, and then neither retention
            # nor the order in which partitions are read together would be right.
            "message.timestamp.type": "LogAppendTime",
        },
    )


def _copies(settings: KafkaSettings) -> int:
    return max(1, settings.replication - 1)


def _missing(names: list[str], why: str) -> SettingsError:
    return SettingsError([f"topic {name} is missing, {why}" for name in names])


def _compare(name: str, partitions: list[dict[str, Any]], settings: KafkaSettings) -> None:
    replication = min(len(partition["replicas"]) for partition in partitions)
    if (len(partitions), replication) != (settings.partitions, settings.replication):
        _log.info(
            "topic_differs_from_settings",
            topic=name,
            partitions=len(partitions),
            replication=replication,
        )


async def _limits(
    admin: AIOKafkaAdminClient, names: Iterable[str], settings: KafkaSettings
) -> Limits:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    largest: dict[str, int] = {}
    copies: dict[str, int] = {}
    responses: list[Any] = await admin.describe_configs(resources)
    for response in responses:
        for code, _, _, name, entries in response.resources:
            # Who may not look learns from the brokers' answers what they do not take.
            configured = {} if code else {entry[0]: entry[1] for entry in entries}
            largest[name] = int(configured.get("max.message.bytes", LARGEST_BYTES))
            copies[name] = int(configured.get("min.insync.replicas", 1))
            if largest[name] < LARGEST_BYTES:
                _log.warning("topic_takes_no_large_events", topic=name, bytes=largest[name])
            if copies[name] < _copies(settings):
                _log.warning("topic_needs_fewer_copies", topic=name, copies=copies[name])
    return Limits(largest=largest, copies=copies)

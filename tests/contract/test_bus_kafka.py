"""The log on Kafka keeps the contract."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bus_properties import (
    SEQUENCES,
    STEPS,
    check_answers_are_those_of_a_dictionary,
    check_envelopes_come_back,
)
from bus_suite import BusSuite
from hypothesis import HealthCheck, given, settings
from kafka_home import KafkaHome, kafka_home
from servers.kafka import KafkaCluster

from hub.events.envelope import Envelope

A_FEW_LOGS = settings(
    # Each makes topics of its own, on the one broker for all tests.
    max_examples=6,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


@pytest.fixture
async def home(kafka_server: KafkaCluster) -> AsyncIterator[KafkaHome]:
    async with kafka_home(kafka_server) as opened:
        yield opened


class TestKafkaBus(BusSuite):
    @A_FEW_LOGS
    @given(SEQUENCES)
    def test_any_fit_envelope_comes_back_as_it_was(
        self, kafka_server: KafkaCluster, events: list[Envelope]
    ) -> None:
        async def check() -> None:
            async with kafka_home(kafka_server) as home:
                await check_envelopes_come_back(home, events)

        asyncio.run(check())

    @A_FEW_LOGS
    @given(STEPS)
    def test_any_mix_of_sequences_is_answered_as_by_a_dictionary(
        self, kafka_server: KafkaCluster, steps: list[list[Envelope] | str]
    ) -> None:
        async def check() -> None:
            async with kafka_home(kafka_server) as home:
                await check_answers_are_those_of_a_dictionary(home, steps)

        asyncio.run(check())

"""The servers that other tests rely on are what they claim to be."""

import asyncio
import os
import re
import ssl
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError
from servers.kafka import kafka_cluster
from servers.postgres import postgres
from servers.proxy import proxy

PATIENCE_SECONDS = 60
"""Then something is stuck, whatever the machine is busy with."""

TOPIC = "what.is.kept"


@pytest.fixture
def broker(servers):
    """Return a cluster of one broker that the test may kill."""
    with kafka_cluster() as cluster:
        yield cluster


@pytest.fixture
def database(servers):
    """Return a PostgreSQL that the test may kill."""
    with postgres() as server:
        yield server


async def create_topic(address, *, copies=1):
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, copies)])
    finally:
        await admin.close()


def producer(address, **security):
    return AIOKafkaProducer(
        bootstrap_servers=address, enable_idempotence=True, acks="all", **security
    )


async def records(address, count):
    """Read the topic from its beginning."""
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest") as consumer,
    ):
        consumer.assign([TopicPartition(TOPIC, 0)])
        return [(await consumer.getone()).value for _ in range(count)]


def connected(server, url, **options):
    return asyncpg.connect(url, password=server.password, timeout=PATIENCE_SECONDS, **options)


@asynccontextmanager
async def connection(server, url, **options):
    it = await connected(server, url, **options)
    try:
        yield it
    finally:
        it.terminate()


async def test_a_broker_killed_and_started_again_has_what_it_acknowledged(broker):
    await create_topic(broker.address)
    async with producer(broker.address) as sender:
        await sender.send_and_wait(TOPIC, b"kept", key=b"key", headers=[("ce_id", b"1")])
    (only,) = broker.brokers
    only.kill()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", only.port)
    only.start()
    assert await records(broker.address, 1) == [b"kept"]


async def test_a_frozen_broker_answers_when_it_goes_on(broker):
    await create_topic(broker.address)
    (only,) = broker.brokers
    async with producer(broker.address) as sender:
        only.pause()
        sent = await sender.send(TOPIC, b"late")
        done, _ = await asyncio.wait([sent], timeout=0.2)
        only.resume()
        await asyncio.wait_for(sent, PATIENCE_SECONDS)
    assert not done
    assert await records(broker.address, 1) == [b"late"]


async def test_three_brokers_keep_a_record_when_its_leader_is_killed(servers):
    with kafka_cluster(brokers=3) as cluster:
        await create_topic(cluster.address, copies=3)
        async with producer(cluster.address) as sender:
            await sender.send_and_wait(TOPIC, b"before")
            (leader,) = await leaders(cluster)
            leader.kill()
            await asyncio.wait_for(sender.send_and_wait(TOPIC, b"after"), PATIENCE_SECONDS)
        assert await records(cluster.address, 2) == [b"before", b"after"]


async def leaders(cluster):
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.address)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([TOPIC])
    finally:
        await admin.close()
    return [cluster.brokers[partition["leader"]] for partition in topic["partitions"]]


async def test_a_record_whose_acknowledgement_is_lost_is_written_once(broker):
    await create_topic(broker.address)
    (only,) = broker.brokers
    async with (
        proxy(port=only.proxy_port, to_port=only.proxied_port) as between,
        producer(broker.proxied_address) as sender,
    ):
        await sender.send_and_wait(TOPIC, b"first")
        between.cut_after(0)
        await asyncio.wait_for(sender.send_and_wait(TOPIC, b"cut"), PATIENCE_SECONDS)
        await asyncio.wait_for(sender.send_and_wait(TOPIC, b"last"), PATIENCE_SECONDS)
    assert await records(broker.address, 3) == [b"first", b"cut", b"last"]


async def test_a_secured_broker_lets_in_who_has_the_password_or_the_certificate(servers):
    with kafka_cluster(secured=True) as cluster:
        await create_topic(cluster.address)
        known = cluster.credentials
        trusting = ssl.create_default_context(cafile=known.ca_file)
        certified = ssl.create_default_context(cafile=known.ca_file)
        certified.load_cert_chain(known.certificate_file, known.key_file)
        login = {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": known.username,
            "ssl_context": trusting,
        }
        scram, mtls = cluster.scram_address, cluster.mtls_address
        await send(scram, b"password", **login, sasl_plain_password=known.password)
        await send(mtls, b"certificate", security_protocol="SSL", ssl_context=certified)
        with pytest.raises(KafkaConnectionError):
            await send(scram, b"wrong", **login, sasl_plain_password="wrong")
        with pytest.raises(KafkaConnectionError):
            await send(mtls, b"none", security_protocol="SSL", ssl_context=trusting)
        assert await records(cluster.address, 2) == [b"password", b"certificate"]


async def send(address, value, **security):
    sender = producer(address, **security)
    try:
        await sender.start()
        await asyncio.wait_for(sender.send_and_wait(TOPIC, value), PATIENCE_SECONDS)
    finally:
        await sender.stop()


async def test_a_database_killed_and_started_again_has_what_it_committed(database):
    async with connection(database, database.url) as client:
        await client.execute("CREATE TABLE kept (word text)")
        await client.execute("INSERT INTO kept VALUES ('committed')")
        await client.execute("BEGIN; INSERT INTO kept VALUES ('not committed')")
        database.kill()
    with pytest.raises(ConnectionRefusedError):
        await connected(database, database.url)
    database.start()
    async with connection(database, database.url) as client:
        assert await client.fetch("SELECT word FROM kept") == [("committed",)]


async def test_a_database_lets_nobody_in_without_the_password(postgres_server):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_server.url, password="wrong", timeout=PATIENCE_SECONDS)


async def test_two_fresh_databases_know_nothing_of_each_other(postgres_server):
    one, other = (postgres_server.fresh_database() for _ in range(2))
    async with connection(postgres_server, one) as client:
        await client.execute("CREATE TABLE mine ()")
    async with connection(postgres_server, other) as client:
        assert await client.fetchval("SELECT to_regclass('mine')") is None


async def test_a_commit_whose_answer_is_cut_off_is_committed(postgres_server):
    url = postgres_server.fresh_database()
    async with connection(postgres_server, url) as direct:
        await direct.execute("CREATE TABLE kept (word text)")
        async with (
            proxy(to_port=postgres_server.port) as between,
            connection(postgres_server, url, port=between.port) as client,
        ):
            await client.execute("BEGIN; INSERT INTO kept VALUES ('unanswered')")
            between.cut_after(0)
            with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
                await client.execute("COMMIT")
        assert await direct.fetch("SELECT word FROM kept") == [("unanswered",)]


async def test_a_proxy_that_refuses_turns_away_new_connections_only(postgres_server):
    async with proxy(to_port=postgres_server.port) as between:
        through = {"port": between.port}
        async with connection(postgres_server, postgres_server.url, **through) as client:
            between.refuse()
            with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
                await connected(postgres_server, postgres_server.url, **through)
            assert await client.fetchval("SELECT 1") == 1
            between.accept()
            async with connection(postgres_server, postgres_server.url, **through) as other:
                assert await other.fetchval("SELECT 2") == 2


async def test_what_a_proxy_holds_arrives_when_it_is_released(postgres_server):
    async with (
        proxy(to_port=postgres_server.port) as between,
        connection(postgres_server, postgres_server.url, port=between.port) as client,
    ):
        between.hold()
        asked = asyncio.create_task(client.fetchval("SELECT 1"))
        done, _ = await asyncio.wait([asked], timeout=0.2)
        between.release()
        assert await asked == 1
        assert not done


START_AND_DIE = """
import os, signal, sys
from pathlib import Path
from servers.process import ServerProcess

command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
ServerProcess(command=command, log=Path(sys.argv[1]), ready="Serving HTTP").start()
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_a_server_does_not_outlive_the_tests_that_started_it(tmp_path):
    log = tmp_path / "log"
    tests = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", START_AND_DIE, log),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    await asyncio.wait_for(tests.wait(), PATIENCE_SECONDS)
    port = int(re.search(r"port (\d+)", log.read_text())[1])
    with pytest.raises(ConnectionError):
        await connect_again_and_again(port)


async def connect_again_and_again(port):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.02)

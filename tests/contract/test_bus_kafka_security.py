"""The log on brokers that ask who is there, over connections that nobody else reads."""

import logging
from collections.abc import Iterator

import pytest
from bus_home import everything, kinds, names
from kafka_home import KafkaHome, keyed, new_settings
from servers.certificates import Credentials
from servers.kafka import KafkaCluster, kafka_cluster

from hub.errors import SettingsError, StorageError


@pytest.fixture(scope="module")
def cluster(servers: None) -> Iterator[KafkaCluster]:
    with kafka_cluster(secured=True) as started:
        yield started


@pytest.fixture(scope="module")
def credentials(cluster: KafkaCluster) -> Credentials:
    assert cluster.credentials is not None
    return cluster.credentials


async def check_works(home: KafkaHome) -> None:
    await home.open()
    assert kinds(await home.bus.append([keyed("event", "a")])) == ["Stored"]
    assert names(await everything(home)) == ["event"]
    async with home.bus.subscribe("dispatch") as subscription:
        assert names(await subscription.poll(1)) == ["event"]
    await home.close()


async def check_is_kept_out(home: KafkaHome) -> None:
    bus = home.new_bus()
    with pytest.raises(StorageError):
        await bus.start()
    await bus.stop()


async def test_a_user_logs_in_with_a_password(
    cluster: KafkaCluster, credentials: Credentials
) -> None:
    settings = new_settings(
        tls=True,
        ca_file=credentials.ca_file,
        username=credentials.username,
        password={"file": credentials.password_file},
    )
    await check_works(KafkaHome(cluster.scram_address, settings))


async def test_a_wrong_password_keeps_out_and_is_written_nowhere(
    cluster: KafkaCluster,
    credentials: Credentials,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("KAFKA_PASSWORD", "a-canary-that-sings")
    settings = new_settings(
        tls=True,
        ca_file=credentials.ca_file,
        username=credentials.username,
        password={"variable": "KAFKA_PASSWORD"},
    )
    await check_is_kept_out(KafkaHome(cluster.scram_address, settings))
    assert "canary" not in caplog.text
    assert "canary" not in str(capsys.readouterr())


async def test_a_certificate_opens_what_asks_for_one(
    cluster: KafkaCluster, credentials: Credentials
) -> None:
    settings = new_settings(
        tls=True,
        ca_file=credentials.ca_file,
        certificate_file=credentials.certificate_file,
        key_file=credentials.key_file,
    )
    await check_works(KafkaHome(cluster.mtls_address, settings))


async def test_a_server_that_nobody_vouches_for_is_not_talked_to(
    cluster: KafkaCluster, credentials: Credentials
) -> None:
    settings = new_settings(
        tls=True, certificate_file=credentials.certificate_file, key_file=credentials.key_file
    )
    await check_is_kept_out(KafkaHome(cluster.mtls_address, settings))


async def test_a_certificate_that_cannot_be_read_is_named(credentials: Credentials) -> None:
    settings = new_settings(tls=True, ca_file=credentials.password_file)
    with pytest.raises(SettingsError, match=r"kafka\.ca_file"):
        KafkaHome("127.0.0.1:1", settings).new_bus()

"""How the journal's connections to PostgreSQL are protected."""

import ssl
from pathlib import Path

import pytest

from hub.errors import SettingsError
from hub.journal.postgres.connecting import Address, connect_arguments
from hub.secrets import SecretPlace
from hub.settings import PostgresSettings, Secret

PASSWORD = "correct-horse-battery-staple"


def arguments(host, *, password=None, **settings):
    address = Address(host=host, port=5432, user="trunkline", database="trunkline")
    return connect_arguments(
        address, settings=PostgresSettings(**settings), password=password, name="worker"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1"])
def test_a_server_on_this_machine_needs_no_tls(host):
    assert arguments(host)["ssl"] is False


@pytest.mark.parametrize(
    "host", ["db.example.com", "10.0.0.7", "2001:db8::7", "localhost.example.com", "127.0.0.1.nip"]
)
def test_any_other_server_must_prove_its_name(host):
    context = arguments(host)["ssl"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_tls_is_as_the_settings_say():
    assert isinstance(arguments("localhost", tls=True)["ssl"], ssl.SSLContext)
    assert arguments("db.example.com", tls=False)["ssl"] is False


def test_a_file_that_holds_no_certificate_is_a_mistake_in_the_settings(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SettingsError, match=r"postgres\.ca_file"):
        arguments("db.example.com", ca_file=tmp_path / "ca.pem")


def test_the_password_is_read_for_each_connection_and_stands_nowhere(tmp_path: Path):
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    place = SecretPlace(Secret(file=file), name="postgres.password")
    given = arguments("db.example.com", password=place)
    assert PASSWORD not in repr(given)
    assert given["password"]() == PASSWORD

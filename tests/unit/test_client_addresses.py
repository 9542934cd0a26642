"""Which addresses are never connected to."""

import pytest

from hub.clients.addresses import is_loopback, refusal


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "0.0.0.0",  # noqa: S104 # an address that must be refused
        "::",
        "100.100.100.200",
        "224.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_metadata_and_link_local_addresses_are_refused_however_they_are_written(
    address: str,
) -> None:
    assert refusal("sink.example.com", address) is not None
    assert refusal("localhost", address) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_to_this_machine_is_refused_unless_it_says_so(address: str) -> None:
    assert refusal("slack.example.com", address) is not None
    assert refusal("localhost.example.com", address) is not None
    assert refusal("localhost", address) is None
    assert refusal("127.0.0.1", address) is None


@pytest.mark.parametrize("address", ["10.96.0.1", "192.168.1.4", "140.82.112.6", "2606:50c0::1"])
def test_private_and_public_addresses_are_allowed(address: str) -> None:
    assert refusal("kubernetes.default.svc", address) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("api.localhost", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_told_from_the_host_itself(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected

"""A service's name is a DNS label, always the same, and nobody else's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.events.names import MAX_LABEL, service_name

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
HASHED = re.compile(r".+-[0-9a-f]{8}")

repositories = st.text("abcXYZ019-_.", min_size=1, max_size=100)


@pytest.mark.parametrize("name", ["order-service", "a", "0", "x" * 63, "1-2--3"])
def test_a_repository_that_is_a_label_gives_its_own_name(name: str) -> None:
    assert service_name(name) == name


@pytest.mark.parametrize("name", ["Order-Service", "ORDER-SERVICE"])
def test_case_does_not_matter_as_it_does_not_on_github(name: str) -> None:
    assert service_name(name) == "order-service"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("order_service", "order-service"),
        ("Order.Service", "order-service"),
        ("-order-", "order"),
        ("order__.service", "order-service"),
        ("._.", "service"),
        ("", "service"),
        ("\u0130stanbul", "i-stanbul"),
        ("\u5e97", "service"),
        ("../../etc", "etc"),
        ("--upload-pack=x", "upload-pack-x"),
        ("x" * 64, "x" * 54),
        ("x" * 53 + "-y" * 20, "x" * 53),
    ],
)
def test_a_repository_that_is_no_label_gives_a_readable_name_and_a_hash(
    name: str, stem: str
) -> None:
    service = service_name(name)
    assert service.rpartition("-")[0] == stem
    assert HASHED.fullmatch(service)


@given(st.text(max_size=120) | repositories)
def test_every_name_gives_a_dns_label_and_always_the_same(name: str) -> None:
    service = service_name(name)
    assert LABEL.fullmatch(service)
    assert len(service) <= MAX_LABEL
    assert service_name(name) == service


@given(repositories, repositories)
def test_two_repositories_are_two_services(one: str, other: str) -> None:
    assert (service_name(one) == service_name(other)) == (one.lower() == other.lower())


def test_names_that_differ_in_punctuation_alone_are_not_confused() -> None:
    names = ["order-service", "order_service", "order.service", "order--service", "order-service-"]
    assert len({service_name(name) for name in names}) == len(names)

"""The faults of the sandbox world, on a server of one path."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from hub.sandbox.faults import Down, Faults, ResetAfterEffect, Slow, Status
from hub.sandbox.loopback import Loopback


@dataclass
class Shop:
    """A server with an effect to lose: it counts its orders."""

    faults: Faults
    url: str = ""
    orders: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.orders.append(request.method)
        return web.Response(text="taken")

    async def order(self, method: str = "POST", path: str = "/orders") -> int:
        async with aiohttp.request(method, self.url + path) as answer:
            return answer.status


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop(faults=Faults())
    app = web.Application(middlewares=[shop.faults.middleware("shop")])
    app.router.add_route("*", "/{path:.*}", shop.take)
    server = Loopback(app)
    shop.url = await server.start()
    yield shop
    shop.faults.clear()
    await server.stop()


async def test_without_faults_everything_works(shop: Shop) -> None:
    assert await shop.order() == 200


async def test_a_status_comes_as_often_as_told_and_nothing_happens(shop: Shop) -> None:
    told = Status(status=429, retry_after=2.5, headers=(("X-Why", "busy"),))
    fault = shop.faults.fail("shop", told, times=2)
    async with aiohttp.request("POST", f"{shop.url}/orders") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "2.5")
        assert answer.headers["X-Why"] == "busy"
    assert [await shop.order(), await shop.order()] == [429, 200]
    assert (fault.hits, len(shop.orders)) == (2, 1)


async def test_a_fault_keeps_to_its_method_path_and_system(shop: Shop) -> None:
    shop.faults.fail("shop", Status(status=500), method="POST", path="^/orders/1$")
    shop.faults.fail("other", Status(status=500))
    assert await shop.order("GET", "/orders/1") == 200
    assert await shop.order("POST", "/orders/12") == 200
    assert await shop.order("POST", "/orders/1") == 500


async def test_a_reset_comes_after_the_effect(shop: Shop) -> None:
    shop.faults.fail("shop", ResetAfterEffect(), times=1)
    with pytest.raises(aiohttp.ClientError):
        await shop.order()
    assert shop.orders == ["POST"]
    assert await shop.order() == 200


async def test_what_is_down_does_nothing(shop: Shop) -> None:
    fault = shop.faults.fail("shop", Down())
    with pytest.raises(aiohttp.ClientError):
        await shop.order("PUT")
    assert shop.orders == []
    fault.clear()
    assert await shop.order() == 200


async def test_what_is_slow_waits_until_it_is_cleared(shop: Shop) -> None:
    fault = shop.faults.fail("shop", Slow(), times=1)
    held = asyncio.create_task(shop.order())
    await fault.met()
    assert await shop.order("GET") == 200
    assert shop.orders == ["GET"]
    shop.faults.clear("shop")
    assert await held == 200
    assert shop.orders == ["GET", "POST"]


async def test_of_several_faults_the_first_one_told_applies(shop: Shop) -> None:
    shop.faults.fail("shop", Status(status=500), times=1)
    shop.faults.fail("shop", Status(status=503), times=1)
    assert [await shop.order() for _ in range(3)] == [500, 503, 200]


async def test_waiting_for_a_fault_that_is_not_met_ends(shop: Shop) -> None:
    fault = shop.faults.fail("shop", Down())
    with pytest.raises(TimeoutError):
        await fault.met(timeout=0)

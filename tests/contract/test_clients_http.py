"""The one way out, over real sockets: errors, limits, where the credential goes and where not."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from hub.clients.answer import OutcomeUnknownError
from hub.clients.endpoint import Endpoint
from hub.clients.http import MAX_ANSWER_BYTES, Http, Request, path_of
from hub.errors import PermanentError, SettingsError, TemporaryError
from hub.sandbox.loopback import Loopback
from hub.secrets import SecretPlace
from hub.settings import Secret

TOKEN = "a-token-that-nobody-else-may-see"
CERTIFICATE = (
    "MIIBYTCCAQigAwIBAgIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDAR0ZXN0MCAXDTIwMDEw"
    "MTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDAR0ZXN0MFkwEwYHKoZIzj0C"
    "AQYIKoZIzj0DAQcDQgAEPX0kitwpGN5HBl1zj+dSMUhwX4rynQIn3vy71wsDtsxsafgEnX87"
    "UIszJnJSqlVcFWlU2v2E6AVpaM3PYaPTIqNTMFEwDwYDVR0RBAgwBocEfwAAATAPBgNVHRMB"
    "Af8EBTADAQH/MA4GA1UdDwEB/wQEAwIChDAdBgNVHQ4EFgQUaPnb8sjf//ZwbrKNFqunbdiq"
    "IC0wCgYIKoZIzj0EAwIDRwAwRAIgV93hXemsfw1cDHUpZgiDQN9L44GPkzIL7U4/Qcw1o8EC"
    "IFfilDQisWEVfBqOOYzhQOV5M3WdYV5podPQtW9HC+9d"
)
"""Self-signed for 127.0.0.1, made for these tests, good until the year 2120."""
CERTIFICATE_KEY = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsWfkD7iGrqF/77aQhhJHkcAd"
    "nTGFXwfSSDeOCUWVSWmhRANCAAQ9fSSK3CkY3kcGXXOP51IxSHBfivKdAife/LvXCwO2zGxp"
    "+ASdfztQizMmclKqVVwVaVTa/YToBWlozc9ho9Mi"
)
GET = Request(method="GET", path="/thing")

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A system that keeps what it was asked and answers as told."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.reply: Reply = self._ok
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._server = Loopback(app)
        self.url = ""

    async def start(self) -> None:
        self.url = await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()

    def seen(self, header: str) -> list[str]:
        return [one.headers[header] for one in self.requests if header in one.headers]

    def answers(self, *responses: tuple[int, dict[str, str]]) -> None:
        left = list(responses)

        async def reply(_request: web.Request) -> web.Response:
            status, headers = left.pop(0) if len(left) > 1 else left[0]
            return web.Response(status=status, headers=headers, text="{}")

        self.reply = reply

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.reply(request)

    async def _ok(self, _request: web.Request) -> web.Response:
        return web.Response(text='{"ok": true}')


class Names(AbstractResolver):
    """A resolver that answers as told, one answer after the other."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not self._answers:
            raise OSError(None, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=self._answers.pop(0),
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""


class HangingNames(Names):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        return []


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http


@pytest.fixture
def token(tmp_path: Path) -> SecretPlace:
    (tmp_path / "token").write_text(TOKEN)
    return SecretPlace(Secret(file=tmp_path / "token"), name="sink.token")


async def test_the_credential_goes_to_its_origin_and_the_answer_comes_back(
    server: Server, http: Http, token: SecretPlace
) -> None:
    endpoint = Endpoint(http, url=f"{server.url}/base/", system="sink", credential=token)

    answer = await endpoint.call(GET, answered={200})

    assert answer.body == b'{"ok": true}'
    assert [request.path for request in server.requests] == ["/base/thing"]
    assert server.seen("Authorization") == [f"Bearer {TOKEN}"]


async def test_rows_c8_and_c14_a_redirect_is_not_followed_and_takes_no_credential_along(
    server: Server, http: Http, token: SecretPlace
) -> None:
    other = Server()
    await other.start()
    endpoint = Endpoint(http, url=server.url, system="sink", credential=token)

    for target in (f"{other.url}/x", "http://169.254.169.254/latest/meta-data/"):
        server.answers((302, {"Location": target}))
        with pytest.raises(PermanentError, match="302"):
            await endpoint.call(GET, answered={200})
    await other.stop()

    assert other.requests == []
    assert len(server.requests) == 2


async def test_a_credential_for_the_body_is_sent_in_no_header(
    server: Server, http: Http, token: SecretPlace
) -> None:
    endpoint = Endpoint(http, url=server.url, system="sink", credential=token, bearer=False)

    await endpoint.call(GET, answered={200})

    assert server.seen("Authorization") == []


async def test_an_echoed_credential_does_not_come_back_out_in_the_error(
    server: Server, http: Http, token: SecretPlace
) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"message": request.headers["Authorization"]}, status=403)

    server.reply = echo
    endpoint = Endpoint(http, url=server.url, system="sink", credential=token)

    with pytest.raises(PermanentError) as caught:
        await endpoint.call(GET, answered={200})

    assert TOKEN not in str(caught.value)
    assert "sink.token (file " in str(caught.value)


async def test_a_token_that_was_swapped_is_read_again_after_a_401(
    server: Server, http: Http, token: SecretPlace, tmp_path: Path
) -> None:
    async def accept_the_new(request: web.Request) -> web.Response:
        good = request.headers["Authorization"] == "Bearer the-next-token"
        return web.Response(status=200 if good else 401)

    server.reply = accept_the_new
    endpoint = Endpoint(http, url=server.url, system="sink", credential=token)
    with pytest.raises(PermanentError, match="401"):
        await endpoint.call(GET, answered={200})
    assert len(server.requests) == 1

    (tmp_path / "token").write_text("the-next-token")
    answer = await endpoint.call(GET, answered={200})

    assert answer.status == 200
    assert len(server.requests) in {2, 3}


async def test_a_rate_limit_holds_its_lane_without_a_request_and_no_other(
    server: Server, http: Http
) -> None:
    server.answers((429, {"Retry-After": "3600"}), (200, {}))
    endpoint = Endpoint(http, url=server.url, system="sink")
    limited = Request(method="GET", path="/thing", lane="one")

    for _ in range(3):
        with pytest.raises(TemporaryError) as caught:
            await endpoint.call(limited, answered={200})
        assert 3500 < (caught.value.after or 0) <= 3600
    other = Request(method="GET", path="/thing", lane="other")
    await endpoint.call(other, answered={200})

    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_after_a_5xx_nobody_knows_what_was_done(
    server: Server, http: Http, status: int
) -> None:
    server.answers((status, {"Retry-After": "7"}))

    with pytest.raises(OutcomeUnknownError) as caught:
        await Endpoint(http, url=server.url, system="sink").call(GET, answered={200})

    assert caught.value.after == 7


async def test_a_connection_that_is_refused_did_nothing(http: Http) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TemporaryError) as caught:
            await Endpoint(http, url=url, system="sink").call(GET, answered={200})

    assert not isinstance(caught.value, OutcomeUnknownError)


async def test_a_lost_answer_leaves_open_what_was_done(server: Server, http: Http) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server.reply = cut

    with pytest.raises(OutcomeUnknownError):
        await Endpoint(http, url=server.url, system="sink").call(GET, answered={200})


async def test_a_system_that_hangs_is_given_up(server: Server) -> None:
    release = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    server.reply = hang
    async with Http(call_seconds=0.05) as http:
        with pytest.raises(OutcomeUnknownError, match="in time"):
            await Endpoint(http, url=server.url, system="sink").call(GET, answered={200})
    release.set()


async def test_an_endless_answer_is_cut_off(server: Server, http: Http) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            return response

    server.reply = flood

    with pytest.raises(PermanentError, match=str(MAX_ANSWER_BYTES)):
        await Endpoint(http, url=server.url, system="sink").call(GET, answered={200})


async def test_a_compressed_answer_is_not_unpacked(server: Server, http: Http) -> None:
    async def compressed(_request: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b not unpacked", headers={"Content-Encoding": "gzip"})

    server.reply = compressed

    answer = await Endpoint(http, url=server.url, system="sink").call(GET, answered={200})

    assert answer.body == b"\x1f\x8b not unpacked"


async def test_no_cookie_is_kept(server: Server, http: Http) -> None:
    server.answers((200, {"Set-Cookie": "session=1"}))
    endpoint = Endpoint(http, url=server.url, system="sink")

    await endpoint.call(GET, answered={200})
    await endpoint.call(GET, answered={200})

    assert server.seen("Cookie") == []


async def test_rows_122_and_125_a_name_that_leads_to_the_metadata_service_is_refused() -> None:
    for address in ("169.254.169.254", "fd00:ec2::254", "127.0.0.1"):
        async with Http(resolver=Names(address)) as http:
            endpoint = Endpoint(http, url="http://sink.example.com", system="sink")
            with pytest.raises(PermanentError, match="leads to"):
                await endpoint.call(GET, answered={200})


async def test_rows_122_and_c14_a_name_that_changes_its_mind_is_checked_each_time(
    server: Server,
) -> None:
    port = server.url.rpartition(":")[2]
    async with Http(resolver=Names("127.0.0.1", "169.254.169.254")) as http:
        endpoint = Endpoint(http, url=f"http://sink.localhost:{port}", system="sink")
        rebound = Endpoint(http, url=f"http://rebound.localhost:{port}", system="sink")
        await endpoint.call(GET, answered={200})
        with pytest.raises(PermanentError, match="leads to"):
            await rebound.call(GET, answered={200})

    assert len(server.requests) == 1


async def test_row_122_an_unknown_name_may_be_known_later() -> None:
    async with Http(resolver=Names()) as http:
        endpoint = Endpoint(http, url="http://sink.example.com", system="sink")
        with pytest.raises(TemporaryError, match=r"sink\.example\.com"):
            await endpoint.call(GET, answered={200})


async def test_row_122_a_resolver_that_hangs_is_given_up() -> None:
    async with Http(resolver=HangingNames(), call_seconds=0.05) as http:
        endpoint = Endpoint(http, url="http://sink.example.com", system="sink")
        with pytest.raises(TemporaryError):
            await endpoint.call(GET, answered={200})


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "0.0.0.0"])  # noqa: S104 # to be refused
async def test_row_125_the_metadata_service_cannot_even_be_configured(
    http: Http, host: str
) -> None:
    with pytest.raises(SettingsError, match="leads to"):
        Endpoint(http, url=f"http://{host}/", system="sink")


async def test_row_123_a_credential_is_not_sent_in_the_clear(
    http: Http, token: SecretPlace
) -> None:
    with pytest.raises(SettingsError, match="https"):
        Endpoint(http, url="http://api.example.com", system="sink", credential=token)


@pytest.fixture
async def https(tmp_path: Path) -> AsyncIterator[str]:
    """A server for 127.0.0.1 whose certificate nobody has signed but itself."""
    (tmp_path / "tls.crt").write_text(ssl.DER_cert_to_PEM_cert(base64.b64decode(CERTIFICATE)))
    (tmp_path / "tls.key").write_text(_pem("PRIVATE KEY", CERTIFICATE_KEY))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    app = web.Application()
    app.router.add_get("/thing", Server()._ok)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def _pem(kind: str, content: str) -> str:
    return f"-----BEGIN {kind}-----\n{content}\n-----END {kind}-----\n"


async def test_row_123_a_certificate_that_nobody_vouches_for_is_refused(
    http: Http, https: str
) -> None:
    endpoint = Endpoint(http, url=https, system="sink")

    with pytest.raises(TemporaryError, match=r"(?i)certificate") as caught:
        await endpoint.call(GET, answered={200})

    assert not isinstance(caught.value, OutcomeUnknownError)


async def test_row_123_a_certificate_of_the_configured_authority_is_good(
    http: Http, https: str, tmp_path: Path
) -> None:
    endpoint = Endpoint(http, url=https, system="sink", ca_file=tmp_path / "tls.crt")

    assert (await endpoint.call(GET, answered={200})).status == 200


async def test_row_123_a_certificate_for_another_name_is_refused(
    http: Http, https: str, tmp_path: Path
) -> None:
    named = https.replace("127.0.0.1", "localhost")
    endpoint = Endpoint(http, url=named, system="sink", ca_file=tmp_path / "tls.crt")

    with pytest.raises(TemporaryError, match=r"(?i)certificate"):
        await endpoint.call(GET, answered={200})


async def test_a_ca_file_that_cannot_be_read_stops_the_start(http: Http, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")

    for name in ("ca.crt", "missing.crt"):
        with pytest.raises(SettingsError, match=name):
            Endpoint(http, url="https://x.example", system="sink", ca_file=tmp_path / name)


@pytest.mark.parametrize("written", ["two\nlines", "ümlaut"])
async def test_a_token_that_fits_in_no_header_is_told_of_and_not_sent(
    server: Server, http: Http, tmp_path: Path, written: str
) -> None:
    (tmp_path / "token").write_text(written)
    place = SecretPlace(Secret(file=tmp_path / "token"), name="sink.token")

    with pytest.raises(PermanentError, match=r"sink\.token") as caught:
        await Endpoint(http, url=server.url, system="sink", credential=place).call(
            GET, answered={200}
        )

    assert written not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_path_cannot_climb(segment: str) -> None:
    with pytest.raises(PermanentError):
        path_of("repos", segment, "statuses")


def test_a_segment_cannot_become_two() -> None:
    assert path_of("a/b", "?x#y", "%2e%2e") == "/a%2Fb/%3Fx%23y/%252e%252e"


async def test_after_the_end_nothing_is_sent(server: Server) -> None:
    http = Http()
    endpoint = Endpoint(http, url=server.url, system="sink")
    await endpoint.call(GET, answered={200})
    await http.close()

    with pytest.raises(TemporaryError, match="shutting down"):
        await endpoint.call(GET, answered={200})

    assert len(server.requests) == 1


async def test_calls_side_by_side_keep_their_answers_apart(server: Server, http: Http) -> None:
    async def name_it(request: web.Request) -> web.Response:
        return web.Response(text=request.query["n"])

    server.reply = name_it
    endpoint = Endpoint(http, url=server.url, system="sink")

    async def ask(number: int) -> Any:
        request = Request(method="GET", path="/thing", query=(("n", str(number)),))
        return (await endpoint.call(request, answered={200})).body

    assert await asyncio.gather(*(ask(n) for n in range(40))) == [
        str(n).encode() for n in range(40)
    ]

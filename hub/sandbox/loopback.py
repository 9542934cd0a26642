"""`Loopback`: serves one part of the sandbox world over HTTP on 127.0.0.1, on a free port."""

from aiohttp import web

_SHUTDOWN_SECONDS = 0.1
"""How long a request in flight may still take when the world ends."""


class Loopback:
    """One HTTP server, started once and stopped once."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._runner: web.AppRunner | None = None
        self.url = ""
        """`http://127.0.0.1:<port>`, known once started."""

    async def start(self) -> str:
        """Listen on a port that the system chooses, and return the base address."""
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self.url

    async def stop(self) -> None:
        """Close the port and end what is in flight; nothing where it is not running."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

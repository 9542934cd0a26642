"""The floor: an aiohttp handler that reads the body and answers 202. Nothing is checked or kept."""

import asyncio

from aiohttp import web

MAX_BODY_BYTES = 30 * 1024 * 1024


async def accept(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202)


async def main() -> None:
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/webhooks/github", accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

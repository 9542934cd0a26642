"""The commands and their options.

What a command needs is imported when it is called, so that `trunkline --help` and a mistyped option
cost nothing.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hub.wiring.role import Role

app = typer.Typer(
    name="trunkline",
    help="The event hub of an internal developer platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 not done or not there, 2 wrong use, 69 the hub or its file "
    "cannot be reached, 78 wrong settings.",
)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="TRUNKLINE_CONFIG",
        help="The settings file; trunkline.yaml by default.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines for people.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")]
EventId = Annotated[str, typer.Argument(help="An event's id, or its first 8 characters or more.")]


@app.command()
def serve(
    *,
    role: Annotated[
        Role, typer.Option(help="What this process does, where several share Kafka and PostgreSQL.")
    ] = Role.ALL,
    config: Config = None,
) -> None:
    """Run the hub: receive events, dispatch them, act."""
    from hub.cli.serve import serve as run

    run(config, role=role)


@app.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when the first push has reached staging.")
    ] = False,
    as_json: AsJson = False,
    port: Annotated[int, typer.Option(help="The hub's port; 0 lets the system choose.")] = 0,
) -> None:
    """Start a sandbox world and the hub, and watch a push travel to production."""
    from hub.cli.demo import demo as run

    raise typer.Exit(asyncio.run(run(once=once, as_json=as_json, port=port)))


@app.command()
def send(
    source: Annotated[str, typer.Argument(help="Whose event: github.")],
    event: Annotated[str, typer.Argument(help="Which event: push, pull_request, ping ...")],
    *,
    payload: Annotated[
        Path | None, typer.Option(help="A file with the body; a sample without it.")
    ] = None,
    delivery: Annotated[
        str | None, typer.Option(help="The delivery id; a fresh one by default.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where to, if not the hub of the settings.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Sign a real sample (or a file) and post it to the hub, as GitHub would."""
    from hub.cli.send import send as run

    raise typer.Exit(
        asyncio.run(
            run(
                source,
                event,
                payload=payload,
                delivery=delivery,
                url=url,
                config=config,
                as_json=as_json,
            )
        )
    )


@app.command()
def sign(
    payload: Annotated[Path, typer.Argument(help="The file with the body, byte for byte.")],
    *,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print the signature header for a body, and a curl command that sends it."""
    from hub.cli.send import sign as run

    run(payload, config, as_json=as_json)


@app.command()
def events(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events arrive.")] = False,
    limit: Limit = 20,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the last events on the log."""
    from hub.cli.look import events as run

    asyncio.run(run(config, limit=limit, follow=follow, as_json=as_json))


@app.command()
def explain(event: EventId, *, config: Config = None, as_json: AsJson = False) -> None:
    """Say all there is to say about one event: who handled it, who did not and why."""
    from hub.cli.look import explain as run

    raise typer.Exit(asyncio.run(run(config, event, as_json=as_json)))


@app.command()
def runs(
    *,
    handler: Annotated[str | None, typer.Option(help="Only those of one handler.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only those in this state.")] = None,
    limit: Limit = 20,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the newest runs of handlers."""
    from hub.cli.look import runs as run

    asyncio.run(run(config, handler=handler, states=state or [], limit=limit, as_json=as_json))


@app.command("dead-letters")
def dead_letters(*, limit: Limit = 100, config: Config = None, as_json: AsJson = False) -> None:
    """List the runs that are dead or parked, each with the command that replays it."""
    from hub.cli.look import dead_letters as run

    asyncio.run(run(config, limit=limit, as_json=as_json))


@app.command()
def replay(
    event: EventId,
    *,
    handler: Annotated[str | None, typer.Option(help="Only this handler.")] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Also what is done: its effects are attempted anew at their targets."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run an event's handlers again, as far as they are not done."""
    from hub.cli.replay import replay as run

    raise typer.Exit(
        asyncio.run(
            run(config, event, handler=handler, again=again, dry_run=dry_run, as_json=as_json)
        )
    )


@app.command()
def handlers(*, config: Config = None, as_json: AsJson = False) -> None:
    """List the handlers and the events that they are for."""
    from hub.cli.look import handlers as run

    run(config, as_json=as_json)


@app.command("check-config")
def check_config(*, config: Config = None, as_json: AsJson = False) -> None:
    """Read the settings and the secrets that they name, and say everything that is wrong."""
    from hub.cli.check import check_config as run

    run(config, as_json=as_json)

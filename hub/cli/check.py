"""`trunkline check-config`: everything that is wrong with the settings, at once."""

import asyncio
from pathlib import Path

from hub.cli.configured import settings_of
from hub.cli.output import say, say_json
from hub.errors import SettingsError
from hub.journal.interface import Versioned
from hub.receiver.doors import open_doors
from hub.settings import Settings
from hub.telemetry.redaction import Redactor
from hub.wiring.clock import Clocks
from hub.wiring.installed import installed_handlers
from hub.wiring.outside import outside
from hub.wiring.secrets import open_engine_secrets, open_secrets


def check_config(config: Path | None, *, as_json: bool) -> None:
    """Check the settings, their secrets and their handlers. Raises SettingsError."""
    settings = settings_of(config)
    problems: list[str] = []
    for check in (_check_engines, _check_clients, _check_doors, _check_handlers):
        try:
            check(settings)
        except SettingsError as error:
            problems.extend(error.problems)
    if problems:
        raise SettingsError(problems)
    if as_json:
        say_json({"settings": "ok", "doors": _doors(settings)})
        return
    say("The settings are good.")
    for door, state in _doors(settings).items():
        say(f"  {door}: {state}")


def _check_engines(settings: Settings) -> None:
    open_engine_secrets(settings, learn=Redactor().add)


def _check_clients(settings: Settings) -> None:
    asyncio.run(_open_clients(settings))


async def _open_clients(settings: Settings) -> None:
    secrets = open_secrets(settings, learn=Redactor().add)
    async with outside(settings, secrets, _NoRecords(), clocks=Clocks()):
        pass


class _NoRecords:
    """What clients are built with that never do anything."""

    async def get(self, _kind: str, _key: str) -> Versioned | None:
        return None

    async def put(self, _kind: str, _key: str, _value: str, *, expected: int) -> bool:
        return expected < 0


def _check_doors(settings: Settings) -> None:
    open_doors(settings.receiver)


def _check_handlers(settings: Settings) -> None:
    installed_handlers(settings.dispatch)


def _doors(settings: Settings) -> dict[str, str]:
    receiver = settings.receiver
    keys = {
        "github": len(receiver.github.keys),
        "argocd": len(receiver.argocd.keys),
        "tekton": len(receiver.tekton.keys),
        "events": len(receiver.events.bearer) + len(receiver.events.signing),
    }
    return {
        door: f"open, keys: {count}" if count else "shut: it has no keys"
        for door, count in keys.items()
    }

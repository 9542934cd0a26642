"""Which handlers there are, and what they see of the settings."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from handlers import HANDLERS
from hub.dispatch.handler import Handler
from hub.dispatch.platform import Platform
from hub.errors import SettingsError
from hub.settings import DispatchSettings, Settings

ENTRY_POINT_GROUP = "trunkline.handlers"
"""Where a package of yours publishes a tuple of handlers."""


def installed_handlers(settings: DispatchSettings) -> tuple[Handler, ...]:
    """Return the built-in handlers, those of the configured module, and those of packages.

    Raises SettingsError where one cannot be imported, is no handler, or has a name that is taken.
    """
    found = [*HANDLERS, *_module_handlers(settings.handlers_module), *_package_handlers()]
    strangers = [repr(one) for one in found if not isinstance(one, Handler)]
    if strangers:
        raise SettingsError([f"not a handler (is `@on` missing?): {', '.join(strangers)}"])
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError([f"two handlers are called {name}: rename one" for name in twice])
    return tuple(found)


def _module_handlers(name: str | None) -> tuple[Any, ...]:
    if name is None:
        return ()
    try:
        return tuple(import_module(name).HANDLERS)
    except (ImportError, AttributeError, TypeError) as error:
        problem = f"dispatch.handlers_module: {name} has no tuple HANDLERS ({error})"
        raise SettingsError([problem]) from error


def _package_handlers() -> tuple[Any, ...]:
    found: list[Any] = []
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found.extend(point.load())
        except (ImportError, AttributeError, TypeError) as error:
            problem = f"the entry point {point.name} = {point.value} gives no handlers ({error})"
            raise SettingsError([problem]) from error
    return tuple(found)


def platform_of(settings: Settings) -> Platform:
    """Return what handlers see of the settings."""
    context = settings.github.status_context if settings.github else "trunkline/ci"
    forks = settings.kubernetes.forks if settings.kubernetes else None
    return Platform.of(
        settings.platform,
        status_context=context,
        checks=settings.github is not None and settings.github.checks,
        fork_pipeline=forks.pipeline if forks else None,
    )

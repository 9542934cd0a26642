"""From what was written to settings that can be used, or to all that is wrong with it."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hub.configuration.addresses import anchored_address, bus_address, journal_address
from hub.configuration.draft import Draft
from hub.configuration.shape import anchored, written_secrets
from hub.errors import SettingsError
from hub.secrets import SecretPlace, too_short
from hub.settings import Secret, Settings

_ADDRESSES = {"bus": bus_address, "journal": journal_address}


def load(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsError with a line for each mistake.

    Secrets that cannot be read are among them. Where nothing else is wrong, that is left to whoever
    opens the secrets: a command that only looks at the log needs none.
    """
    base = Path.cwd() if path is None else path.parent.absolute()
    draft = Draft()
    if path is not None:
        draft.take_file(path)
    draft.take_variables(environment)
    draft.refuse_secrets()
    _check_addresses(draft)
    settings = draft.settings()
    if settings is None:
        _check_secrets(draft, base, environment)
        raise SettingsError(draft.problems())
    addresses = {name: anchored_address(getattr(settings, name), base) for name in _ADDRESSES}
    return anchored(settings, base).model_copy(update=addresses)


def _check_addresses(draft: Draft) -> None:
    for name, read in _ADDRESSES.items():
        url = draft.content.get(name)
        if isinstance(url, str):
            try:
                read(url)
            except SettingsError as error:
                draft.blame((name,), error.problems[0])


def _check_secrets(draft: Draft, base: Path, environment: Mapping[str, str]) -> None:
    for written in written_secrets(Settings, draft.content):
        try:
            SecretPlace(
                anchored(Secret.model_validate(written.content), base),
                name="the secret",
                misfit=too_short if written.of_key else lambda _: None,
                environment=environment,
            )
        except ValidationError:
            # The draft tells of it, as of every setting that has the wrong shape.
            continue
        except SettingsError as error:
            draft.blame(written.place, error.problems[0])

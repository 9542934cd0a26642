"""Every error that Trunkline raises on purpose.

    TrunklineError
    ├── SettingsError            the configuration is wrong; the process exits with 78
    ├── Refused                  a request is not taken in; carries its HTTP status
    │   ├── Unauthentic          401: no proof, or a wrong one; never says which
    │   ├── Malformed            400: says what is wrong, never echoes the input
    │   ├── UnsupportedMedia     415
    │   ├── Forbidden            403: authentic, but this sender may not say this
    │   ├── Conflicting          409: the same event id with another body
    │   └── TooLargeToStore      413: more than the log takes in one event
    ├── StorageError             the log or the journal cannot be written or read
    │   ├── StorageOwned         another process owns the file; names it
    │   └── ClaimLost            the run was taken over by another worker
    ├── TemporaryError           what failed may work later; the run is retried
    └── PermanentError           what failed will never work; the run becomes a dead letter

Foreign exceptions stop at the module that talks to the foreign thing and are chained with `from`.
Handlers and clients know only the last two.
"""


class TrunklineError(Exception):
    """The root: catching it catches nothing that is a bug."""


class SettingsError(TrunklineError):
    """The configuration cannot be used.

    `problems` holds one line for each mistake, each with its place, so that all are mended at once.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Refused(TrunklineError):
    """A request that is not taken in; `status` is the HTTP status that says so."""

    status = 400


class Unauthentic(Refused):
    """The sender did not prove who it is. The answer gives no hint which proof was missing."""

    status = 401


class Malformed(Refused):
    """What was sent cannot be read; the message names what is wrong without repeating it."""

    status = 400


class UnsupportedMedia(Refused):
    """The media type or the content encoding is not one this door takes."""

    status = 415


class Forbidden(Refused):
    """The sender is known but may not send this."""

    status = 403


class Conflicting(Refused):
    """An event id that is already taken by another body: the first one stands."""

    status = 409


class TooLargeToStore(Refused):
    """The event is larger than what the log takes; it will be however often it is sent."""

    status = 413


class StorageError(TrunklineError):
    """The log or the journal did not do what was asked; nothing was acknowledged."""


class StorageOwned(StorageError):
    """Another process owns the file; the message names it."""


class ClaimLost(StorageError):
    """The run is no longer this worker's: it was too late, and another one has taken over."""


class TemporaryError(TrunklineError):
    """What failed may work later.

    `after` is how many seconds to leave it alone at least, where the other side said so;
    without it the handler's retry policy decides.
    """

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class PermanentError(TrunklineError):
    """What failed will fail again, however often it is tried."""

"""How the hub proves to a git server who it is. The token goes to one repository only.

Git's own credential helpers, prompts and URLs with passwords are not used: git is given a header
for the requests to this address, in its environment.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from hub.secrets import SecretPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user name and token, shown to one repository and to nothing else."""

    url: str
    username: str
    token: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.token}".encode()).decode()

    def hide(self, text: str) -> str:
        """Return `text` without the token in any form that git was given."""
        return text.replace(self.token, "***").replace(self.header.split()[1], "***")


class CredentialPlace:
    """Where the credential comes from; the token may be swapped while the hub runs."""

    def __init__(
        self,
        *,
        url: str,
        username: str,
        token: SecretPlace | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._url = url
        self._username = username
        self._token = token
        self._monotonic = monotonic

    def read(self) -> Credential | None:
        """Return the present credential; None where the settings name none."""
        if self._token is None:
            return None
        token = self._token.read(self._monotonic()).expose()
        return Credential(url=self._url, username=self._username, token=token)

    @property
    def where(self) -> str:
        """What to look at when it is refused, for the end of an error."""
        return f"; the token used is {self._token.where}" if self._token else "; no token is set"

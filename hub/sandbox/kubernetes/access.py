"""Who may do what: bearer tokens and the rules of their accounts.

Protocol: https://kubernetes.io/docs/reference/access-authn-authz/.
"""

import hmac
from dataclasses import dataclass, field

from hub.sandbox.kubernetes.kinds import Kind
from hub.sandbox.kubernetes.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Verbs that are allowed on one kind, in one namespace."""

    kind: Kind
    verbs: frozenset[str]
    """Of `create`, `get`, `list`, `watch`, `update`, `patch`, `delete`."""
    namespace: str | None = None
    """None means all, and what asks across all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A service account: its token, and its rules. None means that it may do everything."""

    user: str
    token: str = field(repr=False)
    rules: tuple[Rule, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one request asks for."""

    verb: str
    kind: Kind
    namespace: str | None
    name: str = ""
    subresource: str = ""


def authenticate(accounts: tuple[Access, ...], header: str) -> Access:
    """Return whose token it is. Raises Refusal with 401."""
    scheme, _, token = header.partition(" ")
    for account in accounts:
        if scheme.lower() == "bearer" and hmac.compare_digest(
            account.token.encode(), token.encode()
        ):
            return account
    raise Refusal(401, "Unauthorized", "Unauthorized")


def authorize(account: Access, asked: Asked) -> None:
    """Refuse what no rule of the account allows. Raises Refusal with 403."""
    if account.rules is None:
        return
    for rule in account.rules:
        fits = _same(rule.kind, asked.kind) and rule.namespace in {None, asked.namespace}
        if fits and asked.verb in rule.verbs and not asked.subresource:
            return
    raise _forbidden(account, asked)


def _same(kind: Kind, other: Kind) -> bool:
    """Whether rights to one are rights to the other: versions of a kind share them."""
    return (kind.group, kind.plural) == (other.group, other.plural)


def _forbidden(account: Access, asked: Asked) -> Refusal:
    kind = asked.kind
    resource = kind.plural + (f"/{asked.subresource}" if asked.subresource else "")
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    one = f' "{asked.name}"' if asked.name else ""
    message = (
        f'{kind.resource}{one} is forbidden: User "{account.user}" cannot {asked.verb} resource'
        f' "{resource}" in API group "{kind.group}" {where}'
    )
    details = {"group": kind.group, "kind": kind.plural}
    return Refusal(
        403, "Forbidden", message, details=details | ({"name": asked.name} if asked.name else {})
    )

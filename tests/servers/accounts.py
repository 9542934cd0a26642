"""Service accounts with rights of their own, and the tokens that the API server gives them."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from .administrator import Administrator, Object

_RBAC = "rbac.authorization.k8s.io"
_TOKEN_SECONDS = 3600
_LOOKS = 1000
_LOOK_SECONDS = 0.02


def give_account(
    admin: Administrator, name: str, rules: Sequence[Object], *, namespace: str | None
) -> str:
    """Create an account that may do what the rules say, here or everywhere; return its token."""
    home = namespace or "default"
    account = {"name": name, "namespace": home}
    admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    scope = "Cluster" if namespace is None else ""
    metadata = {"name": name} if namespace is None else account
    role = {"apiVersion": f"{_RBAC}/v1", "kind": f"{scope}Role", "metadata": metadata}
    admin.create(role | {"rules": list(rules)})
    admin.create(
        role
        | {
            "kind": f"{scope}RoleBinding",
            "roleRef": {"apiGroup": _RBAC, "kind": f"{scope}Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **account}],
        }
    )
    if rules:
        _wait_until_it_may(admin, account, rules[0], namespace)
    return _token(admin, account)


def _token(admin: Administrator, account: Mapping[str, str]) -> str:
    place = f"/api/v1/namespaces/{account['namespace']}/serviceaccounts/{account['name']}/token"
    wanted = {"spec": {"expirationSeconds": _TOKEN_SECONDS}}
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **wanted}
    return str(admin.ask("POST", place, asked)["status"]["token"])


def _wait_until_it_may(
    admin: Administrator, account: Mapping[str, str], rule: Object, namespace: str | None
) -> None:
    """Wait until the API server goes by the new role, which it hears of a moment later."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{account['namespace']}:{account['name']}",
            **_wish(rule, namespace),
        },
    }
    for _ in range(_LOOKS):
        answer = admin.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        if answer["status"]["allowed"]:
            return
        threading.Event().wait(_LOOK_SECONDS)
    raise TimeoutError(f"the role of {account['name']} does not take effect")


def _wish(rule: Object, namespace: str | None) -> dict[str, Any]:
    """Return something that a rule allows."""
    verb = rule["verbs"][0]
    if "nonResourceURLs" in rule:
        return {"nonResourceAttributes": {"path": rule["nonResourceURLs"][0], "verb": verb}}
    resource, _, part = rule["resources"][0].partition("/")
    wish = {"verb": verb, "group": rule["apiGroups"][0], "resource": resource, "subresource": part}
    name = rule.get("resourceNames", [""])[0]
    return {"resourceAttributes": wish | {"namespace": namespace or "", "name": name}}

"""Label and field selectors, https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/."""

import re
from collections.abc import Callable, Sequence
from functools import reduce

from hub.sandbox.kubernetes.kinds import Object, labels_of
from hub.sandbox.kubernetes.refusal import bad_request

Selector = Callable[[Object], bool]

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s+\(([^()]*)\)")
_EQUALITY = re.compile(rf"({_KEY})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)")
_EXISTENCE = re.compile(rf"(!?)\s*({_KEY})")
_BETWEEN = re.compile(r",(?![^()]*\))")
_FIELDS = ("metadata.name", "metadata.namespace")


def select(labels: str, fields: str = "", *, known: Sequence[str] = ()) -> Selector:
    """Return whether an object matches both selectors; an empty one matches all.

    `known` are fields of this kind that can be asked for. Raises Refusal.
    """
    terms = [
        *(_label_term(term.strip()) for term in _BETWEEN.split(labels) if term.strip()),
        *(
            _field_term(term.strip(), (*_FIELDS, *known))
            for term in fields.split(",")
            if term.strip()
        ),
    ]
    return lambda one: all(term(one) for term in terms)


def _label_term(term: str) -> Selector:
    if found := _SET.fullmatch(term):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        return lambda one: (labels_of(one).get(key) in values) == (operator == "in")
    if found := _EQUALITY.fullmatch(term):
        key, operator, value = found.groups()
        return lambda one: (labels_of(one).get(key) == value) == (operator != "!=")
    if found := _EXISTENCE.fullmatch(term):
        absent, key = found.groups()
        return lambda one: (key in labels_of(one)) != bool(absent)
    raise bad_request(f"unable to parse requirement: {term}")


def _field_term(term: str, known: Sequence[str]) -> Selector:
    name, operator, value = (
        re.split(r"(==|=|!=)", term, maxsplit=1) if "=" in term else (term, "", "")
    )
    if name not in known:
        raise bad_request(f"field label not supported: {name}")
    *parts, last = name.split(".")
    return lambda one: (_part(one, parts).get(last, "") == value) == (operator != "!=")


def _part(one: Object, path: Sequence[str]) -> Object:
    return reduce(lambda part, name: part.get(name) or {}, path, one)

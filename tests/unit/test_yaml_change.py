"""One scalar changes, every other byte stays, and what cannot be done so is refused."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.clients.gitops.yaml_change import Add, Change, Replace, apply
from hub.clients.gitops.yaml_source import MAX_BYTES, Source
from hub.errors import PermanentError

BOMB = "a: &a [x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
"""A hundred million values in a few hundred bytes."""


def value_of(source: Source, key: str) -> yaml.ScalarNode:
    found = [
        value
        for node in source.nodes()
        if isinstance(node, yaml.MappingNode)
        for name, value in node.value
        if name.value == key
    ]
    assert isinstance(found[0], yaml.ScalarNode)
    return found[0]


def replace(text: str, value: str, key: str = "tag") -> str:
    source = Source(text.encode(), path="file.yaml")
    return apply(source, [Replace(value_of(source, key), value)]).decode()


def add(text: str, *, under: str, column: int) -> str:
    source = Source(text.encode(), path="file.yaml")
    change = Add(value_of(source, under), column, "newTag", "v2")
    return apply(source, [change]).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tag: v1\n", "tag: v2\n"),
        ("tag: v1", "tag: v2"),
        ("tag:   v1   # why\n", "tag:   v2   # why\n"),
        ("tag: 'v1'\n", "tag: 'v2'\n"),
        ('tag: "v1"\n', 'tag: "v2"\n'),
        ("tag: v1\r\nother: x\r\n", "tag: v2\r\nother: x\r\n"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}tag: v1\n", "\N{ZERO WIDTH NO-BREAK SPACE}tag: v2\n"),
        (
            "# Größe 컨테이너 \U0001f600\ntag: v1 # é\n",
            "# Größe 컨테이너 \U0001f600\ntag: v2 # é\n",
        ),
        ("tag: &version v1\n", "tag: &version v2\n"),
        ("tag: !!str v1\n", "tag: !!str v2\n"),
        ("tag: &a !!str 'v1'\n", "tag: &a !!str 'v2'\n"),
        ("{name: x, tag: v1, more: [a, b]}\n", "{name: x, tag: v2, more: [a, b]}\n"),
        ("x: 1\n---\ntag: v1\n...\n---\ny: 2\n", "x: 1\n---\ntag: v2\n...\n---\ny: 2\n"),
        ("%YAML 1.1\n---\ntag: v1\n", "%YAML 1.1\n---\ntag: v2\n"),
        ("tag:\n", "tag: v2\n"),
        ("tag: # none yet\n", "tag: v2 # none yet\n"),
        ("tag: ~\n", "tag: v2\n"),
        ('tag: ""\n', 'tag: "v2"\n'),
        ("{tag: , name: x}\n", "{tag: v2, name: x}\n"),
        ("tag: 1.20\n", "tag: v2\n"),
        ("? tag\n: v1\n", "? tag\n: v2\n"),
        ("tag: v1\x85other: x\n", "tag: v2\x85other: x\n"),
    ],
)
def test_only_the_scalar_changes(before: str, after: str) -> None:
    assert replace(before, "v2") == after
    assert replace(after, "v2") == after


@pytest.mark.parametrize(
    "value",
    [
        *("1.20", "0123", "1e3", "3.2e2", "1234", "0x1f", "0o17", "0b101", "12:30", "1_000"),
        *("yes", "No", "on", "y", "true", "null", "~", ".inf", ".NaN", "2024-01-02", "=", "<<"),
        *("+1", "-1.5", ".5", "6.", "61e5"),
    ],
)
def test_what_would_not_be_read_as_text_goes_into_quotes(value: str) -> None:
    assert replace("tag: v1 # c\n", value) == f'tag: "{value}" # c\n'
    assert replace("tag: 'v1'\n", value) == f"tag: '{value}'\n"


@pytest.mark.parametrize("value", ["1.2.3", "v1", "80f43a9", "055da06", "1.2-rc", "2024-01-02-a"])
def test_what_is_read_as_text_goes_without_quotes(value: str) -> None:
    assert replace("tag: v1\n", value) == f"tag: {value}\n"


def test_a_value_that_was_misread_so_far_is_quoted_though_it_stays() -> None:
    assert replace("tag: 1.20\n", "1.20") == 'tag: "1.20"\n'
    assert replace("tag: 1e3\n", "1e3") == 'tag: "1e3"\n'


def test_quotes_and_backslashes_are_escaped_in_the_style_that_is_there() -> None:
    assert replace("tag: 'v1'\n", "it's") == "tag: 'it''s'\n"
    assert replace('tag: "v1"\n', 'a"b\\c') == 'tag: "a\\"b\\\\c"\n'


def test_what_would_break_a_plain_scalar_goes_into_quotes() -> None:
    assert replace("tag: v1\n", "a: b") == 'tag: "a: b"\n'
    assert replace("{tag: v1}\n", "a, b: c") == '{tag: "a, b: c"}\n'
    assert replace("tag: v1\n", "a #b") == 'tag: "a #b"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tag: |\n  v1\n", "file.yaml, line 1: a block scalar"),
        ("x: 1\ntag: >-\n  v1\n", "file.yaml, line 2: a block scalar"),
        ("tag: &v v1\nother: *v\n", "line 1: an alias shares this value"),
        ("other: &v v1\ntag: *v\n", "line 1: an alias shares this value"),
        ("tag: one\n  two\n", "line 1: the value goes over several lines"),
        ('tag: "one\n  two"\n', "line 1: the value goes over several lines"),
        ("tag: &a # why\n  v1\n", "line 1: the value goes over several lines"),
        ("tag: !!float 1.2\n", "file.yaml: the change cannot be proved"),
        ("{{- if .Values.x }}\ntag: v1\n{{- end }}\n", "file.yaml, line 1: not YAML"),
        ("tag: [\n", "not YAML"),
        ("tag: v1\n\ttab: x\n", "not YAML"),
        ("a: *nowhere\n", "not YAML"),
        ("tag: v1\n" + "x: " + "[" * 100_000, "nested more than 64 deep"),
        ("tag: v1\n" + "- " * 100_000, "not YAML"),
        ("tag: v1\nx:\n" + "- " * 100_000 + "a", "nested more than 64 deep"),
        ("tag: v1\nx: &x y\nz: [" + "*x, " * 1001 + "]\n", "more than 1000 aliases"),
        ("tag: v1 #" + "x" * MAX_BYTES, "larger than 256 KiB"),
        ("tag: v\x00\n", "not YAML"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        replace(text, "v2")


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    for octets in (b"tag: \xff\n", "tag: v1\n".encode("utf-16")):
        with pytest.raises(PermanentError, match="not UTF-8"):
            Source(octets, path="file.yaml")


def test_control_characters_do_not_get_in() -> None:
    for value in ("v2\nevil: yes", "v2\x1b[2J", "v2\u2028x"):
        with pytest.raises(PermanentError, match="control characters"):
            replace("tag: v1\n", value)


def test_an_alias_bomb_costs_no_more_than_its_bytes() -> None:
    assert replace(BOMB + "tag: v1\n", "v2") == BOMB + "tag: v2\n"


def test_aliases_of_other_things_survive() -> None:
    text = "base: &base {a: 1}\nx:\n  <<: *base\n  tag: v1\ny: *base\nself: &s [*s]\n"
    assert replace(text, "v2") == text.replace("v1", "v2")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- name: app\n", "- name: app\n  newTag: v2\n"),
        ("-   name: app # c\n    x: y\n", "-   name: app # c\n    newTag: v2\n    x: y\n"),
        ("- name: app", "- name: app\n  newTag: v2"),
        ("- name: app\r\n  x: y\r\n", "- name: app\r\n  newTag: v2\r\n  x: y\r\n"),
        ("a: b\r\nl:\r\n- name: app", "a: b\r\nl:\r\n- name: app\r\n  newTag: v2"),
        ("- name: 'app'\n\n- b\n", "- name: 'app'\n  newTag: v2\n\n- b\n"),
    ],
)
def test_a_key_is_added_on_a_line_of_its_own(before: str, after: str) -> None:
    column = before.splitlines()[-1 if "l:" in before else 0].index("name")
    assert add(before, under="name", column=column) == after


@pytest.mark.parametrize(
    "text", ["- {name: app}\n", "- {name: app, x: y}\n", "- {name: app,\n x: y}"]
)
def test_a_key_is_not_added_where_it_has_no_line_of_its_own(text: str) -> None:
    with pytest.raises(PermanentError):
        add(text, under="name", column=2)


WORDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True)
LINES = st.sampled_from(
    [
        "",
        "# why",
        "key: 'x'",
        "flow: [a, {b: c}]",
        "block: |\n  tag: no",
        "base: &b {tag: no}",
        "컨테이너: é",
    ]
)
STYLES = st.sampled_from(["{}", "'{}'", '"{}"', "&anchor {}", "!!str {}", "&a !!str '{}'"])
COMMENTS = st.sampled_from(["", "  # why", " # 컨테이너", "\t# tab"])


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, str, str]:
    """A values file in three parts; the second one is the scalar of the image's tag."""
    above = draw(st.lists(LINES, max_size=3, unique_by=lambda line: line.split(":")[0]))
    below = draw(st.lists(LINES, max_size=3, unique_by=lambda line: line.split(":")[0]))
    opening, closing = draw(STYLES).split("{}")
    head = "\n".join([*above, "---", *above, "image:", "  name: x", "  tag: "]) + opening
    tail = closing + draw(COMMENTS) + "\n" + "\n".join(["---", *below])
    line_break = draw(st.sampled_from(["\n", "\r\n"]))
    return head.replace("\n", line_break), draw(WORDS), tail.replace("\n", line_break)


@settings(deadline=None)
@given(documents(), st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,12}", fullmatch=True))
def test_in_any_document_the_scalar_alone_changes(parts: tuple[str, str, str], value: str) -> None:
    head, old, tail = parts
    source = Source((head + old + tail).encode(), path="file.yaml")
    (tag,) = [
        item
        for node in source.nodes()
        if isinstance(node, yaml.MappingNode)
        for name, item in node.value
        if name.value == "tag" and node.value[0][0].value == "name"
    ]
    changed = apply(source, [Replace(tag, value)]).decode()
    quoted = f'"{value}"' if head.endswith(" ") and f'"{value}"' in changed else value
    assert changed == head + quoted + tail
    images = [one["image"]["tag"] for one in loaded(changed) if "image" in one]
    assert images == [value]


def loaded(text: str) -> list[dict[str, dict[str, str]]]:
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return [one for one in documents if isinstance(one, dict)]


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_makes_it_do_anything_but_change_or_refuse(text: str) -> None:
    octets = f"tag: v1\nother: {text}\n".encode(errors="surrogatepass")
    try:
        source = Source(octets, path="file.yaml")
        changes: list[Change] = [Replace(value_of(source, "tag"), "v2")]
        changed = apply(source, changes)
    except PermanentError:
        return
    assert changed == octets.replace(b"v1", b"v2", 1)

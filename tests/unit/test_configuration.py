"""The settings file and its variables: what is taken, and how every mistake is told."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.configuration import (
    KafkaAddress,
    PostgresAddress,
    SqliteAddress,
    bus_address,
    journal_address,
    load,
    on_this_machine,
)
from hub.configuration.draft import MAX_FILE_BYTES
from hub.configuration.yaml_document import read_yaml
from hub.errors import SettingsError

TOKEN = "xoxb-2222222222-canary"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "trunkline.yaml"


def problems(file, text, environment=None):
    file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        load(file, environment or {})
    return [line.replace(str(file), file.name) for line in raised.value.problems]


def loaded(file, text, environment=None):
    file.write_text(text)
    return load(file, environment or {})


def test_nothing_written_gives_the_defaults():
    settings = load(None, {})
    assert settings.receiver.port == 8080
    assert settings.receiver.github.keys == ()


def test_an_empty_file_gives_the_defaults(file):
    assert loaded(file, "# nothing yet\n").instance == "trunkline"


def test_a_variable_counts_more_than_the_file(file):
    settings = loaded(
        file, "receiver: {port: 1, host: '::1'}", {"TRUNKLINE_RECEIVER__PORT": "8081"}
    )
    assert (settings.receiver.port, settings.receiver.host) == (8081, "::1")


def test_a_variable_opens_a_branch_that_the_file_leaves_out():
    settings = load(None, {"TRUNKLINE_GITOPS__URL": "https://git.example/gitops.git"})
    assert settings.gitops is not None
    assert settings.gitops.branch == "main"


def test_a_variable_is_taken_as_it_stands():
    settings = load(None, {"TRUNKLINE_PLATFORM__CHANNEL": "#releases"})
    assert settings.platform.channel == "#releases"


def test_a_list_in_a_variable_is_yaml():
    settings = load(
        None,
        {
            "TRUNKLINE_PLATFORM__REPOSITORIES": "[company/*, other/one]",
            "TRUNKLINE_RECEIVER__GITHUB__KEYS": "[{id: a, secret: {variable: TRUNKLINE_HOOK}}]",
            "TRUNKLINE_HOOK": "not looked at yet",
        },
    )
    assert settings.platform.repositories == ("company/*", "other/one")
    assert settings.receiver.github.keys[0].secret.variable == "TRUNKLINE_HOOK"


def test_every_mistake_is_told_at_once_with_its_place(file):
    """T116."""
    text = """\
receiver:
  prot: 8080
  port: eighty
  github:
    keys:
    - id: a
      secret: {variable: TRUNKLINE_ABSENT}
slack:
  token: a-secret-of-no-known-shape
pagerduty: {}
bus: kafka://broker:9092/events
journal: postgresql://db/trunkline
log_level: info
log_level: debug
"""
    environment = {"TRUNKLINE_ADMIN__PORT": "70000", "TRUNKLINE_RECIEVER__HOST": "x"}
    assert problems(file, text, environment) == [
        "trunkline.yaml:2: receiver.prot: is no setting; is receiver.port meant?",
        (
            "trunkline.yaml:3: receiver.port: should be a valid integer, unable to parse string "
            "as an integer"
        ),
        (
            "trunkline.yaml:7: receiver.github.keys[0].secret: the secret (variable "
            "TRUNKLINE_ABSENT) is not set"
        ),
        (
            "trunkline.yaml:9: slack.token: a secret written out is refused: keep it in a file or "
            "a variable, and where a secret is asked for write {file: PATH} or {variable: NAME}"
        ),
        "trunkline.yaml:10: pagerduty.routing_key: is missing",
        (
            "trunkline.yaml:11: bus: should be kafka://HOST:PORT,HOST:PORT; topics, users and "
            "options stand under `kafka` in the settings"
        ),
        (
            "trunkline.yaml:12: journal: should be postgresql://USER@HOST:PORT/DATABASE; no "
            "options are taken"
        ),
        "trunkline.yaml:14: log_level: is set already in line 13",
        "TRUNKLINE_ADMIN__PORT: should be less than or equal to 65535",
        "TRUNKLINE_RECIEVER__HOST: is no setting; is TRUNKLINE_RECEIVER__HOST meant?",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"platform: {{channel: {TOKEN}}}", 1),
        (f"slack:\n  token: {TOKEN}", 2),
        (f"slack:\n  token: {{variable: {TOKEN}}}", 2),
        (f"instance: x\n{TOKEN}: 1", 2),
        ("gitops:\n  url: https://bot:hunter2canary@git.example/gitops.git", 2),
        ("journal: postgresql://hub:hunter2canary@db/trunkline", 1),
        ("platform:\n  repositories: [a/b, 'Bearer canarycanary']", 2),
        ("github:\n  api_url: https://x/?ghp_canary0123456789abcdef", 2),
        ("github: [ghp_canary0123456789abcdef]", 1),
        ("github: *ghp_canary0123456789abcdef", 1),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_secret_written_out_is_refused_and_not_repeated(file, text, line):
    """T116."""
    told = problems(file, text)
    assert told[0].startswith(f"trunkline.yaml:{line}: ")
    assert "canary" not in "".join(told)


def test_a_secret_in_a_variable_that_names_a_setting_is_refused():
    with pytest.raises(SettingsError) as raised:
        load(None, {"TRUNKLINE_PLATFORM__CHANNEL": TOKEN})
    assert raised.value.problems[0].startswith("TRUNKLINE_PLATFORM__CHANNEL: a secret written out")
    assert TOKEN not in str(raised.value)


def test_a_secret_put_where_its_place_belongs_is_pointed_on():
    with pytest.raises(SettingsError) as raised:
        load(None, {"TRUNKLINE_SLACK__TOKEN": TOKEN})
    assert raised.value.problems == [
        (
            "TRUNKLINE_SLACK__TOKEN: is no setting; is TRUNKLINE_SLACK__TOKEN__FILE or "
            "TRUNKLINE_SLACK__TOKEN__VARIABLE meant?"
        )
    ]


def test_a_missing_part_of_a_branch_is_told_where_the_branch_was_opened():
    with pytest.raises(SettingsError) as raised:
        load(None, {"TRUNKLINE_KUBERNETES__NAMESPACE": "ci"})
    assert raised.value.problems == ["TRUNKLINE_KUBERNETES__NAMESPACE: kubernetes.url: is missing"]


def test_unreadable_secrets_alone_are_left_to_whoever_opens_them(file):
    settings = loaded(file, "slack: {token: {file: absent}}")
    assert settings.slack is not None


def test_short_keys_are_told_with_the_other_mistakes(file):
    (file.parent / "key").write_text("too-short")
    text = "receiver: {argocd: {keys: [{id: a, secret: {file: key}}]}}\nlog_level: loud"
    assert "holds less than 24 bytes" in problems(file, text)[0]


@pytest.mark.parametrize(
    ("longer", "shorter"), [("events_days", "runs_days"), ("runs_days", "keys_days")]
)
def test_nothing_is_forgotten_before_what_is_asked_of_it(file, longer, shorter):
    text = f"retention: {{{longer}: 30, {shorter}: 29}}"
    told = "events_days, runs_days, keys_days: each may not be less than the last"
    assert problems(file, text) == [f"trunkline.yaml:1: retention: {told}"]
    assert loaded(file, text.replace("29", "30")).retention.runs_days == 30


def test_the_command_line_s_own_variable_is_no_mistake():
    assert load(None, {"TRUNKLINE_CONFIG": "elsewhere.yaml"}).instance == "trunkline"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUNKLINE_SERVICE_HOST", "10.0.0.7"),
        ("TRUNKLINE_SERVICE_PORT_HTTP", "8080"),
        ("TRUNKLINE_PORT", "tcp://10.0.0.7:8080"),
        ("TRUNKLINE_RECEIVER_PORT_8080_TCP_ADDR", "10.0.0.7"),
    ],
)
def test_variables_that_kubernetes_sets_for_a_service_are_no_mistake(name, value):
    assert load(None, {name: value}).receiver.port == 8080


def test_one_underscore_too_few_is_not_taken_for_a_service_s_variable():
    with pytest.raises(SettingsError, match="is TRUNKLINE_RECEIVER__PORT meant"):
        load(None, {"TRUNKLINE_RECEIVER_PORT": "8080"})


def test_relative_paths_start_at_the_file_s_folder(file):
    text = "bus: sqlite:///data/log.db\nslack: {token: {file: secrets/slack}}"
    settings = loaded(file, text, {"TRUNKLINE_JOURNAL": "sqlite:////var/lib/journal.db"})
    assert bus_address(settings.bus) == SqliteAddress(file.parent / "data/log.db")
    assert journal_address(settings.journal) == SqliteAddress(Path("/var/lib/journal.db"))
    assert settings.state == file.parent / "trunkline-state"
    assert settings.slack is not None
    assert settings.slack.token.file == file.parent / "secrets/slack"


@pytest.mark.parametrize("read", [bus_address, journal_address])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "trunkline.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///x/",
        "sqlite:///:memory:",
        "sqlite:///a?mode=ro",
        "mysql://x/y",
        "kafka://",
        "kafka://b",
        "kafka://b:0",
        "kafka://b:99999",
        "kafka://user@b:9092",
        "kafka://b:9092,",
        "kafka://b:9092/topic",
        "postgresql://d",
        "postgresql://u@d",
        "postgresql://d/x",
        "postgresql://u@d:port/x",
        "postgresql://u:pw@d/x",
        "postgresql://u@d/x?sslmode=disable",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(read, url):
    with pytest.raises(SettingsError):
        read(url)


def test_a_log_may_be_kafka_and_a_journal_postgresql():
    assert bus_address("kafka://a.example:9092,[::1]:9093") == KafkaAddress(
        ("a.example:9092", "[::1]:9093")
    )
    assert journal_address("postgresql://trunkline@db.example/hub") == PostgresAddress(
        host="db.example", port=5432, user="trunkline", database="hub"
    )
    for read, url in (
        (bus_address, "postgresql://u@d/x"),
        (journal_address, "kafka://b:9092"),
    ):
        with pytest.raises(SettingsError):
            read(url)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("db", False),
    ],
)
def test_only_loopback_is_on_this_machine(host, here):
    assert on_this_machine(host) is here


def test_a_time_without_a_zone_is_utc(file):
    text = """\
receiver:
  github:
    keys:
    - {id: a, secret: {file: a}, not_before: 2026-03-01, not_after: 2026-03-01 12:00:00}
"""
    key = loaded(file, text).receiver.github.keys[0]
    assert key.not_before == datetime(2026, 3, 1, tzinfo=UTC)
    assert key.not_after == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_empty_value_is_told_as_such(file):
    assert problems(file, "platform:\n  channel: #deployments\n") == [
        (
            "trunkline.yaml:2: platform.channel: should be a valid string, and is empty (a text "
            "that begins with # needs quotes)"
        )
    ]


def test_branch_names_that_yaml_takes_for_something_else_stay_words(file):
    settings = loaded(file, "platform: {branches: {on: [dev], 1.2: [dev, staging]}}")
    assert settings.platform.branches == {"on": ("dev",), "1.2": ("dev", "staging")}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1", "trunkline.yaml:2: not YAML: did not find expected ',' or ']'"),
        ("a: 1\n---\nb: 2", "trunkline.yaml:2: not YAML: but found another document"),
        ("- a", "trunkline.yaml:1: should be a mapping of settings"),
        ("\x07", "trunkline.yaml: not YAML: control characters are not allowed"),
        ("[" * 500_000, "trunkline.yaml:1: is nested more than 32 deep"),
        ("a: &x [*x]", "trunkline.yaml:1: grows too large through its aliases"),
        (BOMB, "trunkline.yaml:1: grows too large through its aliases"),
        (
            "state: !!python/name:os.system x",
            ("trunkline.yaml:1: state: is not a value that YAML can read"),
        ),
        (
            "state: !!set {a}",
            (
                "trunkline.yaml:1: state: has the tag tag:yaml.org,2002:set, which "
                "means nothing here"
            ),
        ),
        ("? [a]\n: b", "trunkline.yaml:1: has a key that is not a word"),
        ("#" * (MAX_FILE_BYTES + 1), f"trunkline.yaml: is larger than {MAX_FILE_BYTES} bytes"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_file_that_is_not_plain_yaml_is_told(file, text, told):
    assert problems(file, text)[0] == told


def test_a_file_that_is_not_utf_8_is_told(file):
    file.write_bytes(b"instance: \xff")
    with pytest.raises(SettingsError, match="is not UTF-8 at byte 10"):
        load(file, {})


def test_a_file_that_is_not_there_is_told(file):
    with pytest.raises(SettingsError, match="No such file or directory"):
        load(file, {})


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#?, \n\t%@`\x00\x85\u2028", max_size=60))
def test_any_text_is_read_or_told(text):
    document = read_yaml(text)
    assert document.mistakes or document.content is None or () in document.lines

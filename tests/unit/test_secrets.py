"""Secrets where they are kept, and rings of keys while they rotate."""

import os
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from hub.errors import SettingsError
from hub.secrets import MAX_SECRET_BYTES, KeyRing, RingKey, SecretPlace, SecretText
from hub.settings import Key, Secret

OLD = "old-key-of-more-than-24-bytes"
NEW = "new-key-of-more-than-24-bytes"


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "secret"
    file.write_text(OLD)
    return file


def swap(file, text):
    """Replace a file as Kubernetes does: the new one is whole before it takes the name."""
    staged = file.with_name("staged")
    staged.write_text(text)
    staged.rename(file)


def place_of(file, **more):
    return SecretPlace(Secret(file=file), name="slack token", **more)


def ring_of(*keys, **more):
    return KeyRing([Key(**key) for key in keys], name="github", **more)


def texts(ring, *, monotonic=0.0, wall=0.0):
    return [key.secret.expose() for key in ring.keys(monotonic=monotonic, wall=wall)]


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{0!r:>20}".format, "%s".__mod__])
def test_no_way_of_printing_shows_a_secret(show):
    secret = SecretText(OLD)
    assert OLD not in show(secret)
    assert OLD not in show(RingKey(id="a", secret=secret))


def test_the_newline_that_editors_add_is_no_part_of_a_secret(file):
    file.write_text(f"  {OLD}\r\n")
    assert place_of(file).read(0.0).expose() == OLD


def test_a_variable_is_read_from_the_environment_given():
    place = SecretPlace(Secret(variable="HOOK"), name="hook", environment={"HOOK": NEW})
    assert place.read(0.0).expose() == NEW


def test_a_swapped_file_is_read_a_second_later(file):
    place = place_of(file)
    assert place.read(10.0).expose() == OLD
    swap(file, NEW)
    assert place.read(10.9).expose() == OLD
    assert place.read(11.0).expose() == NEW


def test_a_swapped_file_can_be_read_at_once(file):
    place = place_of(file)
    place.read(10.0)
    swap(file, NEW)
    assert place.read_again().expose() == NEW


def test_a_file_rewritten_in_place_with_its_old_times_is_read(file):
    place = place_of(file)
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of files ticks slowly
        file.write_text(NEW)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert place.read(1.0).expose() == NEW


@pytest.mark.parametrize("bad", ["", "   \n", "\0" * (MAX_SECRET_BYTES + 1)])
def test_a_bad_swap_leaves_the_last_good_value_and_is_told_once(file, bad):
    """T117."""
    place = place_of(file)
    swap(file, bad)
    with capture_logs() as logs:
        assert [place.read(now).expose() for now in (1.0, 2.0, 3.0)] == [OLD, OLD, OLD]
    assert [one["event"] for one in logs] == ["secret_swap_refused"]
    swap(file, NEW)
    assert place.read(4.0).expose() == NEW


def test_a_file_that_is_gone_for_a_moment_changes_nothing(file):
    place = place_of(file)
    file.unlink()
    assert place.read(1.0).expose() == OLD
    file.write_text(NEW)
    assert place.read(2.0).expose() == NEW


def test_a_rotated_key_that_is_too_short_does_not_replace_a_good_one(file):
    ring = ring_of({"id": "a", "secret": Secret(file=file)})
    swap(file, "short")
    assert texts(ring, monotonic=1.0) == [OLD]


def test_a_rotated_key_that_does_not_fit_its_door_does_not_replace_a_good_one(file):
    def misfit(secret):
        return None if secret.expose().isascii() else "is not ASCII"

    ring = ring_of({"id": "a", "secret": Secret(file=file)}, misfit=misfit)
    swap(file, "\u00e4" * 30)
    assert texts(ring, monotonic=1.0) == [OLD]


def test_every_value_that_a_secret_takes_is_learnt(file):
    learnt = []
    place = place_of(file, learn=lambda secret: learnt.append(secret.expose()))
    swap(file, NEW)
    place.read(1.0)
    assert learnt == [OLD, NEW]


def test_a_secret_that_cannot_be_read_is_told_with_its_place(tmp_path):
    with pytest.raises(SettingsError) as raised:
        place_of(tmp_path / "absent")
    told = f"slack token (file {tmp_path / 'absent'}) cannot be read (FileNotFoundError)"
    assert raised.value.problems == [told]


def test_a_secret_that_is_not_text_is_told_without_it(file):
    file.write_bytes(b"\xff" + OLD.encode())
    with pytest.raises(SettingsError) as raised:
        place_of(file)
    assert OLD not in str(raised.value)


def test_a_variable_that_is_not_text_is_told_without_it():
    octets = (b"\xff" + OLD.encode()).decode("utf-8", "surrogateescape")
    with pytest.raises(SettingsError, match=r"^hook \(variable HOOK\) is not UTF-8$"):
        SecretPlace(Secret(variable="HOOK"), name="hook", environment={"HOOK": octets})


def test_all_that_is_wrong_with_a_ring_is_told_at_once(file, tmp_path):
    (tmp_path / "short").write_text("x" * 23)
    with pytest.raises(SettingsError) as raised:
        ring_of(
            {"id": "a", "secret": Secret(file=tmp_path / "short")},
            {"id": "b", "secret": Secret(file=file)},
            {"id": "b", "secret": Secret(file=file)},
            {"id": "c", "secret": Secret(variable="HOOK")},
            environment={},
        )
    assert raised.value.problems == [
        f"github key a (file {tmp_path / 'short'}) holds less than 24 bytes",
        "github key b: the id is taken by another key of this ring",
        "github key c (variable HOOK) is not set",
    ]


def test_keys_are_good_from_not_before_until_not_after(file):
    ring = ring_of(
        {
            "id": "a",
            "secret": Secret(file=file),
            "not_before": datetime.fromtimestamp(100, UTC),
            "not_after": datetime.fromtimestamp(200, UTC),
        }
    )
    good = [wall for wall in (99.9, 100.0, 199.9, 200.0) if texts(ring, wall=wall)]
    assert good == [100.0, 199.9]


def test_a_moment_without_a_zone_is_utc_wherever_the_process_runs(file):
    ring = ring_of(
        {"id": "a", "secret": Secret(file=file), "not_before": datetime(1970, 1, 2)}  # noqa: DTZ001 # what the test is about
    )
    assert [bool(texts(ring, wall=wall)) for wall in (86_399.0, 86_400.0)] == [False, True]


def test_a_ring_without_keys_is_false():
    assert not ring_of()
    assert texts(ring_of()) == []

"""What PagerDuty is sent stays within its limits."""

from hypothesis import given
from hypothesis import strategies as st

from hub.clients.pagerduty import MAX_DEDUP_KEY, dedup_key


@given(st.text(min_size=256, max_size=600), st.text(min_size=256, max_size=600))
def test_row_105_long_keys_are_hashed_and_stay_different(first: str, second: str) -> None:
    assert len(dedup_key(first)) == MAX_DEDUP_KEY
    assert (dedup_key(first) == dedup_key(second)) == (first == second)


@given(st.text(min_size=1, max_size=255))
def test_a_key_that_fits_is_left_as_it_is(key: str) -> None:
    assert dedup_key(key) == key


def test_row_105_a_long_key_keeps_its_beginning_for_people() -> None:
    assert dedup_key("argocd:" + "x" * 300).startswith("argocd:xxx")

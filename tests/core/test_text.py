"""Shortening what people read."""

from hypothesis import given
from hypothesis import strategies as st

from apps.core.text import ELLIPSIS, shorten

TEXTS = st.text(alphabet=st.sampled_from("ab é\n\t,.-"), max_size=60)
LIMITS = st.integers(min_value=1, max_value=50)


@given(TEXTS, LIMITS)
def test_is_never_longer_than_the_limit(text: str, limit: int) -> None:
    assert len(shorten(text, limit=limit)) <= limit


@given(TEXTS, LIMITS)
def test_leaves_a_short_text_alone(text: str, limit: int) -> None:
    if len(text) <= limit:
        assert shorten(text, limit=limit) == text


@given(TEXTS, LIMITS)
def test_keeps_the_beginning_and_marks_the_cut(text: str, limit: int) -> None:
    words = " ".join(text.split())
    if len(words) > limit:
        cut = shorten(text, limit=limit)
        assert cut.endswith(ELLIPSIS)
        assert words.startswith(cut.removesuffix(ELLIPSIS))


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=9), min_size=2), st.integers(min_value=11, max_value=50))
def test_cuts_between_words_when_the_first_word_fits(words: list[str], limit: int) -> None:
    text = " ".join(words)
    kept = shorten(text, limit=limit).removesuffix(ELLIPSIS).split()
    assert kept == words[: len(kept)]
    assert kept


def test_cuts_a_single_long_word_where_it_must() -> None:
    assert shorten("abcdefghij", limit=5) == "abcd…"


def test_a_word_that_just_fits_is_kept() -> None:
    assert shorten("one two three", limit=8) == "one two…"

"""The hint that cures a typing mistake."""

from placement_search.errors import did_you_mean, nearest


def test_a_word_like_no_other_gets_the_whole_list() -> None:
    """Where no guess is near, all that is known is said, in order."""
    assert nearest("zzz", ["relu", "gelu"]) == " (known: gelu, relu)"
    assert nearest("geluu", ["relu", "gelu"]) == " (did you mean 'gelu'?)"


def test_where_all_words_are_said_before_only_a_near_one_is_said_again() -> None:
    """A list that stands in the message already does not follow once more."""
    assert did_you_mean("zzz", ["relu", "gelu"]) == ""
    assert did_you_mean("geluu", ["relu", "gelu"]) == " (did you mean 'gelu'?)"

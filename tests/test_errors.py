"""The hint that cures a typing mistake."""

from placement_search.errors import nearest


def test_a_word_like_no_other_gets_the_whole_list() -> None:
    """Where no guess is near, all that is known is said, in order."""
    assert nearest("zzz", ["relu", "gelu"]) == " (known: gelu, relu)"
    assert nearest("geluu", ["relu", "gelu"]) == " (did you mean 'gelu'?)"

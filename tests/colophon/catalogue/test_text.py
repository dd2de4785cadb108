import pytest

from colophon.catalogue.text import fold, slugify, sort_key, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Brontë", "bronte"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("Søren", "soren"),
        ("Τὰ εἰς ἑαυτόν", "τα εισ εαυτον"),
        ("Ὀδύσσεια", "οδυσσεια"),
        ("Ёж", "еж"),
        ("السَّلام", "السلام"),
    ],
)
def test_folding_disregards_case_and_diacritics(text: str, folded: str):
    assert fold(text) == folded
    assert fold(folded) == folded


def test_scripts_without_spaces_are_searched_by_character():
    assert words("こころ") == ["こ", "こ", "ろ"]
    assert words("紅樓夢 (dream)") == ["紅", "樓", "夢", "dream"]


def test_punctuation_separates_words():
    assert words("L’Étranger, snake_case: don't") == ["l", "etranger", "snake", "case", "don", "t"]
    assert words('"!?*^') == []


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("The Odyssey", "odyssey"),
        ("A Room of One’s Own", "room of one s own"),
        ("L’Étranger", "etranger"),
        ("Les Misérables", "miserables"),
        ("Theory of Justice", "theory of justice"),
        ("The", "the"),
        ("1984", "1984"),
        ("???", "???"),
    ],
)
def test_titles_are_filed_without_their_article(title: str, key: str):
    assert sort_key(title) == key


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("One Hundred Years of Solitude", "one-hundred-years-of-solitude"),
        ("Les Misérables", "les-miserables"),
        ("Война и мир", "voyna-i-mir"),
        ("Children’s literature", "childrens-literature"),
        ("!!!", "book"),
        ("x" * 300, "x" * 80),
    ],
)
def test_slugs_can_be_read_and_typed(text: str, slug: str):
    assert slugify(text) == slug

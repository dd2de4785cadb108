from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from colophon.catalogue.list_query import (
    SORTS,
    AuthorsParameters,
    ListParameters,
    ListQuery,
    ParameterError,
    list_query,
    read,
)

names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20) | st.none()
years = st.integers(-9999, 9999) | st.none()
queries = st.builds(
    ListQuery,
    q=names,
    author=names,
    subject=names,
    language=names,
    year_from=years,
    year_to=years,
    sort=st.sampled_from(sorted(SORTS)),
    page=st.integers(1, 1000),
)


def is_allowed(query: ListQuery) -> bool:
    in_order = query.year_from is None or query.year_to is None or query.year_from <= query.year_to
    return in_order and (query.q is not None or query.sort != "relevance")


@given(queries.filter(is_allowed))
def test_a_list_s_url_survives_being_shared(query: ListQuery):
    assert list_query(MultiDict(query.parameters(page=query.page))) == query


@given(queries)
def test_a_change_of_filter_goes_back_to_the_first_page(query: ListQuery):
    assert "page" not in query.parameters(subject="poetry")


def test_a_search_is_sorted_by_relevance_unless_told():
    assert list_query(MultiDict({"q": "war"})).sort == "relevance"
    assert list_query(MultiDict({"q": "war", "sort": "title"})).sort == "title"
    assert list_query(MultiDict({"q": "", "sort": ""})).sort == "title"


def test_taking_the_search_away_takes_its_order_away():
    query = ListQuery(q="war", sort="relevance", subject="novel")
    assert query.parameters(q=None) == {"subject": "novel"}


def test_what_is_asked_for_twice_is_wrong():
    with pytest.raises(ParameterError, match=r"^page: Is given more than once\.$"):
        list_query(MultiDict([("page", "1"), ("page", "2")]))


def test_what_a_list_can_be_asked_is_what_its_schema_knows():
    assert set(ListParameters().fields) == set(asdict(ListQuery()))


@pytest.mark.parametrize(
    ("wanted", "letter"), [("a", "a"), ("A", "a"), ("É", "e"), ("ß", "s"), ("Ю", "ю"), ("ʿ", None)]
)
def test_a_letter_is_asked_for_as_authors_are_filed(wanted, letter):
    assert read(AuthorsParameters(), MultiDict({"letter": wanted})) == {"letter": letter}

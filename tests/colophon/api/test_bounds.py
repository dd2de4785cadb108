"""The size of a request decides neither how much is answered nor how much work that is."""

import pytest

from colophon.catalogue.book_schema import BookSchema, Line
from tests.colophon.api.apiclient import ANGLER
from tests.conftest import any_database

pytestmark = any_database

AT = {"POST": "/books", "PUT": "/books/the-compleat-angler", "PATCH": "/books/the-compleat-angler"}


@pytest.fixture
def send(program):
    """Send a body to each kind of write, for a book that is there."""
    assert program.add().status_code == 201

    def send(method, body):
        return program(method, AT[method], json=body, headers={"If-Match": "*"} if method != "POST" else {})

    return send


@pytest.fixture
def calls(monkeypatch):
    """The calls of what makes a schema and of what loads a line of text."""
    counted = []

    def count(kind, name):
        original = getattr(kind, name)

        def counting(self, *arguments, **options):
            counted.append(name)
            return original(self, *arguments, **options)

        monkeypatch.setattr(kind, name, counting)

    count(BookSchema, "__init__")
    count(Line, "_deserialize")
    return counted


@pytest.mark.parametrize("method", AT)
@pytest.mark.parametrize(
    "many",
    [lambda members: members, lambda members: ANGLER | {"authors": [members]}],
    ids=["fields", "fields of an author"],
)
def test_of_many_wrong_fields_the_first_are_named_and_all_are_counted(send, method, many):
    response = send(method, many({f"unknown-{number}": 1 for number in range(3_000)}))
    assert response.status_code == 422
    assert len(response.json["errors"]) == 100
    assert "The first 100 of 3," in response.json["detail"]
    assert len(response.data) < 20_000


@pytest.mark.parametrize("method", AT)
@pytest.mark.parametrize("body", [{}, ANGLER])
def test_unknown_fields_cost_no_schema_each(send, calls, method, body):
    made = []
    for number in (1, 300):
        calls.clear()
        send(method, body | {f"unknown-{each}": 1 for each in range(number)})
        made.append(len(calls))
    assert made[0] == made[1]


@pytest.mark.parametrize("method", AT)
@pytest.mark.parametrize("items", [{"authors": [{"name": "A"}] * 2_000}, {"subjects": ["A"] * 2_000}])
def test_a_list_that_is_too_long_is_refused_before_its_items_are_looked_at(send, calls, method, items):
    calls.clear()
    response = send(method, ANGLER | items)
    assert [problem["field"] for problem in response.json["errors"]] == list(items)
    assert calls.count("_deserialize") < 20


@pytest.mark.parametrize("name", ["x" * 5_000, "😀" * 5_000, "\ud800" * 200])
def test_a_long_name_is_repeated_in_part(send, name):
    problem = send("PATCH", {name: 1}).json["errors"][0]
    assert len(problem["field"]) == 80
    assert problem["field"].endswith("…")


def test_a_long_name_that_is_given_twice_is_repeated_in_part(program):
    body = '{"%s": 1, "%s": 2}' % (("x" * 5_000,) * 2)
    response = program("POST", "/books", data=body, content_type="application/json")
    assert response.status_code == 400
    assert "is given more than once" in response.json["detail"]
    assert len(response.data) < 500


def test_of_many_unknown_parameters_the_first_are_named(program):
    response = program.get("/books?" + "&".join(f"unknown{number}" for number in range(1_200)))
    assert response.status_code == 400
    assert len(response.json["errors"]) == 100
    assert "The first 100 of 1,200 problems are named." in response.json["detail"]


def test_an_accept_header_that_would_take_long_to_compare_is_refused(program):
    response = program.get("/books", headers={"Accept": "a" + " " * 1_000 + "b"})
    assert response.status_code == 400
    assert response.json["detail"] == "The Accept header is longer than 1,000 characters."

"""What goes wrong is told so that a program can tell one kind of problem from another."""

import pytest

from colophon.web.errors import KINDS
from tests.colophon.api.apiclient import ANGLER


def wrong_parameter(program):
    return program.get("/books?limit=0")


def wrong_field(program):
    return program.add(year=0)


def unknown_field(program):
    return program("PATCH", "/books/the-compleat-angler", json={"nonsense": 1}, headers={"If-Match": "*"})


def taken_isbn(program):
    return program.add(title="Another", isbn13="9780306406157")


def reused_key(program):
    for title in ("First", "Second"):
        response = program("POST", "/books", json=ANGLER | {"title": title}, headers={"Idempotency-Key": "order-66"})
    return response


PROBLEMS = [
    (wrong_parameter, "parameters"),
    (wrong_field, "fields"),
    (unknown_field, "fields"),
    (taken_isbn, "conflict"),
    (reused_key, "key-reused"),
]


@pytest.mark.parametrize(("make", "name"), PROBLEMS)
def test_a_problem_s_type_leads_to_what_is_said_of_its_kind(program, page, make, name):
    program.add(isbn13="9780306406157")
    problem = make(program).json
    assert problem["type"] == f"/api/docs#{name}"
    told = page("/api/docs").one(f"#{name}").get_text()
    assert f"{problem['status']} {problem['title']}." in told


def test_every_kind_is_a_problem_s():
    assert {kind.name for kind in KINDS} == {name for _, name in PROBLEMS}


def test_a_problem_whose_status_says_it_all_has_no_type_of_its_own(program):
    problem = program.get("/books/nowhere").json
    assert (problem["type"], problem["title"]) == ("about:blank", "Not Found")

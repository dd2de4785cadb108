"""What holds the API to its specification is fed with wrong answers, so that its silence means something."""

import json

import pytest
from schemathesis.openapi.checks import JsonSchemaError

from tests.colophon.api.apicheck import specification
from tests.conftest import any_database

pytestmark = any_database


def changed(response, **members):
    response.data = json.dumps(response.json | members)


BREAKS = [
    ("/books", lambda answer: setattr(answer, "status_code", 418), "the status 418 is not described"),
    ("/books", lambda answer: answer.headers.remove("ETag"), "the header ETag is missing from 200"),
    (
        "/books",
        lambda answer: answer.headers.add("Retry-After", "5"),
        "the header retry-after is not described for 200",
    ),
    ("/subjects", lambda answer: answer.headers.add("Link", "</>"), "the header link is not described for 200"),
    ("/books?limit=0", lambda answer: changed(answer, type="/api/docs#odd"), "no page tells of problems of the type"),
]


@pytest.mark.parametrize(("path", "change", "complaint"), BREAKS, ids=[complaint for *_, complaint in BREAKS])
def test_an_answer_that_is_not_as_it_is_said_to_be_is_caught(client, path, change, complaint):
    answer = client.get(f"/api/v1{path}")
    checked = specification(client)
    assert list(checked.broken_by("GET", answer.request.path, answer)) == []
    change(answer)
    assert complaint in "\n".join(checked.broken_by("GET", answer.request.path, answer))


def test_a_method_that_is_answered_but_not_described_is_caught(client):
    answer = client.get("/api/v1/books")
    assert list(specification(client).broken_by("TRACE", "/api/v1/books", answer)) == [
        "TRACE is not described, but answers 200"
    ]


def test_a_body_that_is_not_as_it_is_said_to_be_is_caught(client):
    answer = client.get("/api/v1/authors")
    changed(answer, total="many")
    with pytest.raises(JsonSchemaError, match="violates schema"):
        list(specification(client).broken_by("GET", "/api/v1/authors", answer))

"""Creations that are requested for again, by a program that does not know what became of them."""

import pytest

from tests.colophon.api.apiclient import ANGLER


def test_a_creation_with_a_key_can_be_asked_for_again(program):
    key = {"Idempotency-Key": "order-66"}
    first, again = (program("POST", "/books", json=ANGLER, headers=key) for _ in range(2))
    assert (first.status_code, first.json, first.location) == (again.status_code, again.json, again.location)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert program.get("").json["totals"]["books"] == 1


def test_a_key_that_was_used_for_something_else_is_refused(program):
    key = {"Idempotency-Key": "order-66"}
    program("POST", "/books", json=ANGLER, headers=key)
    response = program("POST", "/books", json=ANGLER | {"title": "Other"}, headers=key)
    assert response.status_code == 422
    assert program.get("").json["totals"]["books"] == 1


def test_each_token_has_keys_of_its_own(program, make_program, make_token):
    for maker in (program, make_program(make_token())):
        maker("POST", "/books", json=ANGLER, headers={"Idempotency-Key": "order-66"})
    assert program.get("").json["totals"]["books"] == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
def test_a_key_that_cannot_be_kept_is_refused(program, key):
    assert program("POST", "/books", json=ANGLER, headers={"Idempotency-Key": key}).status_code == 400


def test_a_creation_that_failed_can_be_mended_under_the_same_key(program):
    key = {"Idempotency-Key": "order-66"}
    assert program("POST", "/books", json=ANGLER | {"year": 0}, headers=key).status_code == 422
    assert program("POST", "/books", json=ANGLER, headers=key).status_code == 201

"""Every change leaves a row that says who made it, and how the book was before and after."""

import json

import pytest

from colophon.catalogue.book_schema import BookSchema
from colophon.database.models import AuditEntry, CatalogueState, Token


def rows(engine, model):
    with engine.connect() as db:
        return [dict(row._mapping) for row in db.execute(model.__table__.select())]


def test_every_change_leaves_who_did_what_and_how_it_was_before(program, engine):
    program.add(pages=1)
    program("PATCH", "/books/the-compleat-angler", json={"pages": 2}, headers={"If-Match": "*"})
    program("DELETE", "/books/the-compleat-angler", headers={"If-Match": "*"})
    entries = rows(engine, AuditEntry)
    token = rows(engine, Token)[0]["id"]
    assert [(entry["action"], entry["slug"], entry["token_id"]) for entry in entries] == [
        (action, "the-compleat-angler", token) for action in ("create", "replace", "delete")
    ]
    pages = [[entry[side] and json.loads(entry[side])["pages"] for side in ("before", "after")] for entry in entries]
    assert pages == [[None, 1], [1, 2], [2, None]]
    assert entries[0]["at"].tzinfo


def test_a_change_that_is_refused_leaves_no_trace(program, engine):
    program.add()
    program("PATCH", "/books/the-compleat-angler", json={"year": 0}, headers={"If-Match": "*"})
    program("DELETE", "/books/the-compleat-angler", headers={"If-Match": '"stale"'})
    assert len(rows(engine, AuditEntry)) == 1


def test_a_change_that_changes_nothing_is_none(program, engine):
    before = program.add(pages=1, subjects=["Nature", "Essays"], authors=[{"name": "A B"}, {"name": "C D"}])
    state = rows(engine, CatalogueState)
    the_same = {name: before.json[name] for name in BookSchema().fields}
    for method, sent in (
        ("PATCH", {}),
        ("PATCH", {"pages": 1, "publisher": None}),
        ("PATCH", {"subjects": ["Nature", "essays", "Essays"]}),
        ("PATCH", {"authors": [{"name": "A B"}, {"name": "C D", "sort": "D, C"}]}),
        ("PUT", the_same),
    ):
        after = program(method, "/books/the-compleat-angler", json=sent, headers=program.tag("the-compleat-angler"))
        assert (after.status_code, after.json, after.headers["ETag"]) == (200, before.json, before.headers["ETag"])
    assert len(rows(engine, AuditEntry)) == 1
    assert rows(engine, CatalogueState) == state


@pytest.mark.parametrize(
    "changed",
    [
        {"authors": [{"name": "C D"}, {"name": "A B"}]},
        {"authors": [{"name": "A B", "original_name": "Анна"}, {"name": "C D"}]},
        {"subjects": ["Nature"]},
        {"circa": True},
    ],
)
def test_a_change_of_one_detail_is_one(program, engine, changed):
    program.add(subjects=["Nature", "Essays"], authors=[{"name": "A B"}, {"name": "C D"}])
    program("PATCH", "/books/the-compleat-angler", json=changed, headers={"If-Match": "*"})
    assert [entry["action"] for entry in rows(engine, AuditEntry)] == ["create", "replace"]


def test_the_audit_says_what_came_of_a_change(program, engine):
    program.add(subjects=["Nature Walks"])
    program.add(title="Second", subjects=["nature walks", "Nature walks"], authors=[{"name": "A B"}, {"name": "A B"}])
    after = json.loads(rows(engine, AuditEntry)[1]["after"])
    assert (after["subjects"], after["authors"]) == (
        ["Nature Walks"],
        [{"name": "A B", "sort": "B, A", "original_name": None}],
    )
    assert program.get("/books/second").json["subjects"] == ["Nature Walks"]

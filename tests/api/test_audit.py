"""Every change leaves a row that says who made it, and how the book was before and after."""

import json

from colophon.models import AuditEntry, Token


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


def test_the_audit_says_what_came_of_a_change(program, engine):
    program.add(subjects=["Nature Walks"])
    program.add(title="Second", subjects=["nature walks", "Nature walks"], authors=[{"name": "A B"}, {"name": "A B"}])
    after = json.loads(rows(engine, AuditEntry)[1]["after"])
    assert (after["subjects"], after["authors"]) == (
        ["Nature Walks"],
        [{"name": "A B", "sort": "B, A", "original_name": None}],
    )
    assert program.get("/books/second").json["subjects"] == ["Nature Walks"]

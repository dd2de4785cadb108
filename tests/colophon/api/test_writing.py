"""Books added, replaced, changed and taken out: no change is lost, and nothing wrong gets in."""

import threading

import pytest

from colophon import database
from colophon.web import state
from colophon.web.kept import HEADER
from tests.colophon.api.apiclient import ANGLER
from tests.conftest import postgresql_only, sqlite_only


def test_a_book_that_is_added_has_an_address(program):
    response = program.add()
    assert response.status_code == 201
    assert response.location == "http://localhost/api/v1/books/the-compleat-angler"
    got = program.get("/books/the-compleat-angler")
    assert got.json == response.json
    assert got.headers["ETag"] == response.headers["ETag"]


def test_a_book_that_was_added_is_found_by_visitors(program):
    program.add()
    assert "The Compleat Angler" in program._client.get("/books?q=angler+walton+nature+fisherman").text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"title": ""}, "title"),
        ({"title": "   "}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"title": "a\ud800b"}, "title"),
        ({"title": 7}, "title"),
        ({"title": None}, "title"),
        ({"authors": []}, "authors"),
        ({"authors": [{"name": ""}]}, "authors.0.name"),
        ({"authors": [{"name": "A", "age": 7}]}, "authors.0.age"),
        ({"authors": "Walton"}, "authors"),
        ({"authors": ["Walton"]}, "authors.0"),
        ({"year": 0}, "year"),
        ({"year": "1653"}, "year"),
        ({"year": 1653.5}, "year"),
        ({"year": True}, "year"),
        ({"year": 10_000}, "year"),
        ({"circa": "yes"}, "circa"),
        ({"language": "english"}, "language"),
        ({"subjects": [""]}, "subjects.0"),
        ({"pages": 0}, "pages"),
        ({"isbn13": "9780306406158"}, "isbn13"),
        ({"isbn13": "12"}, "isbn13"),
        ({"slug": "mine"}, "slug"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_field_that_is_wrong_or_unknown_is_refused_by_name(program, fields, wrong):
    response = program.add(**fields)
    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == [wrong]
    assert program.get("").json["totals"]["books"] == 0


def test_every_field_that_is_missing_is_named(program):
    errors = program("POST", "/books", json={}).json["errors"]
    assert {error["field"] for error in errors} == {"title", "authors", "year", "language", "description"}


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"\xff", b'{"year": NaN}', b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(program, body):
    response = program("POST", "/books", data=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert "not valid JSON" in response.json["detail"]


@pytest.mark.parametrize("body", ["[]", "7", '"x"', "null"])
def test_json_that_is_no_object_is_refused(program, body):
    for method, path in (("POST", "/books"), ("PATCH", "/books/x")):
        response = program(method, path, data=body, headers={"Content-Type": "application/json", "If-Match": "*"})
        assert response.status_code == 422


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(program, kind):
    response = program("POST", "/books", data="{}", headers={"Content-Type": kind})
    assert response.status_code == 415


def test_a_body_that_is_too_large_is_refused(make_program):
    program = make_program(max_request_bytes=2000)
    response = program.add(description="x" * 3000)
    assert (response.status_code, response.mimetype) == (413, "application/problem+json")


def test_a_body_whose_length_is_not_said_is_refused(program):
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    response = program("POST", "/books", data=b"{}", headers=headers)
    assert (response.status_code, response.mimetype) == (411, "application/problem+json")


def test_an_isbn_that_another_book_has_is_a_conflict_that_names_it(program):
    program.add(isbn13="0-306-40615-2")
    response = program.add(title="Another", isbn13="978-0-306-40615-7")
    assert response.status_code == 409
    assert response.json["book"] == "http://localhost/api/v1/books/the-compleat-angler"
    assert [error["field"] for error in response.json["errors"]] == ["isbn13"]


def test_a_book_is_replaced_whole(program):
    program.add(pages=300, subjects=["Nature"])
    response = program(
        "PUT",
        "/books/the-compleat-angler",
        json=ANGLER | {"title": "Angling"},
        headers=program.tag("the-compleat-angler"),
    )
    assert response.status_code == 200
    assert (response.json["title"], response.json["pages"], response.json["slug"]) == (
        "Angling",
        None,
        "the-compleat-angler",
    )
    assert response.headers["ETag"] == program.get("/books/the-compleat-angler").headers["ETag"]


def test_a_book_may_keep_its_own_isbn(program):
    program.add(isbn13="9780306406157")
    response = program(
        "PUT", "/books/the-compleat-angler", json=ANGLER | {"isbn13": "9780306406157"}, headers={"If-Match": "*"}
    )
    assert response.status_code == 200


def test_what_a_replaced_book_said_is_not_found_any_more(program):
    program.add()
    program(
        "PUT",
        "/books/the-compleat-angler",
        json=ANGLER | {"title": "Angling", "subjects": ["Sport"]},
        headers={"If-Match": "*"},
    )
    assert program.get("/books?q=compleat").json["total"] == 0
    assert program.get("/books?q=angling").json["total"] == 1
    assert [subject["name"] for subject in program.get("/subjects").json["subjects"]] == ["Sport"]


def test_the_fields_that_are_patched_change_and_null_empties_one(program):
    program.add(pages=300, publisher="Marriot")
    response = program(
        "PATCH",
        "/books/the-compleat-angler",
        json={"pages": 310, "publisher": None},
        headers=program.tag("the-compleat-angler"),
    )
    assert response.status_code == 200
    assert (response.json["pages"], response.json["publisher"], response.json["title"]) == (310, None, ANGLER["title"])


def test_a_patch_that_would_make_a_wrong_book_is_refused(program):
    program.add()
    response = program(
        "PATCH", "/books/the-compleat-angler", json={"title": None, "year": 0}, headers={"If-Match": "*"}
    )
    assert response.status_code == 422
    assert {error["field"] for error in response.json["errors"]} == {"title", "year"}


def test_a_book_that_is_taken_out_is_gone_with_what_only_it_had(program):
    program.add()
    assert (
        program("DELETE", "/books/the-compleat-angler", headers=program.tag("the-compleat-angler")).status_code == 204
    )
    assert program.get("/books/the-compleat-angler").status_code == 404
    assert program.get("/books?q=angler").json["total"] == 0
    assert program.get("").json["totals"] | {"books": 0, "authors": 0, "subjects": 0} == program.get("").json["totals"]


def test_every_change_gives_the_catalogue_a_new_state_and_nothing_else_does(program):
    anyhow = {"If-Match": "*"}
    angler, walton = "/books/the-compleat-angler", {"authors": [{"name": "Izaak Walton", "sort": "Isaac"}]}
    changes = [
        ("POST", "/books", ANGLER, 201),
        ("POST", "/books", ANGLER | {"title": "Angling"} | walton, 201),
        ("PUT", angler, ANGLER | {"year": 1654}, 200),
        ("PATCH", angler, {"subjects": []}, 200),
        ("DELETE", angler, None, 204),
    ]
    idle = [
        ("PATCH", "/books/angling", {"year": 1653}, 200),
        ("POST", "/books", {}, 422),
        ("DELETE", angler, None, 404),
    ]
    names = [health(program)]
    for method, path, body, status in changes:
        assert program(method, path, json=body, headers=anyhow).status_code == status
        names.append(health(program))
    assert len(set(names)) == len(names) == len(changes) + 1
    for method, path, body, status in idle:
        assert program(method, path, json=body, headers=anyhow).status_code == status
        assert health(program) == names[-1]


def health(program):
    """Return the state's name as health checks see it."""
    return program.app.test_client().get("/readyz").headers[HEADER]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_whoever_changes_a_book_says_which_state_they_saw(program, method):
    program.add()
    assert program(method, "/books/the-compleat-angler", json=ANGLER).status_code == 428
    stale = {"If-Match": '"0123456789abcdef01234567"'}
    assert program(method, "/books/the-compleat-angler", json=ANGLER, headers=stale).status_code == 412
    assert program(method, "/books/nowhere", json=ANGLER, headers=stale).status_code == 404


@pytest.mark.parametrize("tag", ['""', "", ",", '"a', 'W/"a"', '"a", "b"'])
def test_a_tag_that_is_none_matches_nothing(program, tag):
    program.add()
    assert program("DELETE", "/books/the-compleat-angler", headers={"If-Match": tag}).status_code == 412


def test_the_tag_of_a_copy_that_travelled_compressed_is_good_too(program):
    program.add(description="A long description. " * 100)
    tag = program.get("/books/the-compleat-angler", headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    assert tag.endswith('-gzip"')
    assert program("DELETE", "/books/the-compleat-angler", headers={"If-Match": tag}).status_code == 204


def test_of_two_who_saw_the_same_state_only_one_changes_it(program):
    program.add()
    seen = program.tag("the-compleat-angler")
    first = program("PATCH", "/books/the-compleat-angler", json={"pages": 1}, headers=seen)
    second = program("PATCH", "/books/the-compleat-angler", json={"publisher": "Other"}, headers=seen)
    assert (first.status_code, second.status_code) == (200, 412)


def test_no_change_is_lost_when_many_write_at_once(make_program, make_token):
    token = make_token()
    program = make_program(token, writes_per_minute=10_000)
    program.add(pages=1)

    def count_up():
        for _ in range(5):
            while True:
                seen = program.get("/books/the-compleat-angler")
                more = {"pages": seen.json["pages"] + 1}
                answer = program(
                    "PATCH", "/books/the-compleat-angler", json=more, headers={"If-Match": seen.headers["ETag"]}
                )
                if answer.status_code == 200:
                    break
                assert answer.status_code == 412

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert program.get("/books/the-compleat-angler").json["pages"] == 21


@sqlite_only
def test_a_write_that_breaks_in_the_middle_changes_nothing(program, engine):
    with database.transaction(engine) as db:
        db.exec_driver_sql("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'planted'); END")
    assert program.add().status_code == 500
    assert program.get("/books").json["total"] == 0


@pytest.mark.parametrize("title", ["1234567890123", "9780306406157", "1234567890", "1984"])
def test_a_title_of_digits_is_no_isbn(program, title):
    slug = program.add(title=title).json["slug"]
    assert program.get(f"/books/{slug}").json["title"] == title
    assert program._client.get(f"/books/{slug}").status_code == 200


def test_an_author_who_is_filed_anew_is_so_in_every_book(program):
    program.add(title="First", authors=[{"name": "Izaak Walton"}])
    second = program.add(
        title="Second", authors=[{"name": "Izaak Walton", "sort": "Zz, Izaak", "original_name": "Исаак"}]
    )
    for book in (second.json, program.get("/books/first").json):
        assert book["authors"] == [{"name": "Izaak Walton", "sort": "Zz, Izaak", "original_name": "Исаак"}]
    program.add(title="Third", authors=[{"name": "Yves Xavier"}])
    assert [book["title"] for book in program.get("/books?sort=author").json["books"]] == ["Third", "First", "Second"]
    assert program.get("/books?q=исаак").json["total"] == 2
    program.add(title="Fourth", authors=[{"name": "Izaak Walton"}])
    assert program.get("/authors/izaak-walton").json["sort"] == "Zz, Izaak"


def test_a_field_that_does_not_exist_cannot_be_emptied(program):
    program.add()
    response = program(
        "PATCH", "/books/the-compleat-angler", json={"foo": None, "slug": None}, headers={"If-Match": "*"}
    )
    assert [error["field"] for error in response.json["errors"]] == ["foo", "slug"]


def test_a_field_that_comes_twice_is_refused(program):
    response = program(
        "POST", "/books", data='{"title": "A", "title": "B"}', headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, "given more than once" in response.json["detail"]) == (400, True)


@pytest.mark.parametrize(("method", "header"), [("POST", "Accept-Post"), ("PATCH", "Accept-Patch")])
def test_what_may_be_sent_is_said_where_something_else_was(program, method, header):
    path = "/books" if method == "POST" else "/books/x"
    response = program(method, path, data="{}", headers={"Content-Type": "text/plain"})
    assert "application/json" in response.headers[header]


def test_a_body_that_was_compressed_is_refused(program):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert program("POST", "/books", data=b"x", headers=headers).status_code == 415


@postgresql_only
def test_a_database_that_takes_no_writes_just_now_is_answered_by_503(make_program, make_token, engine):
    program = make_program(make_token())
    with engine.connect() as db:
        db.exec_driver_sql(f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = on')
    state.of(program.app).engine.dispose()  # which has a connection from before
    response = program.add()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")

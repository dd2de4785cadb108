"""The routes, the specification and the page that shows it are equal; and the API does what they say."""

import re
import shlex
from dataclasses import replace
from datetime import timedelta

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from bench.made_up_books import made_up_books
from colophon import create_app, database
from colophon.access import tokens
from colophon.catalogue import writing
from colophon.settings import Settings
from colophon.web import state
from tests.pagecheck import text

# test_reading.py and test_writing.py cover the same code; to trace thousands of requests would take half a minute.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_coverage")]

CASES_PER_OPERATION = 60
# What a specification cannot say of a request: which parameters exclude each other, what stands in the catalogue, which
# key was used and which state was seen.
UNSAID = {
    "positive_data_acceptance": {"expected-statuses": ["2xx", 304, 400, 404, 409, 412]},
    "negative_data_rejection": {"expected-statuses": ["4xx"]},
}
KEY_USED = {"positive_data_acceptance": {"expected-statuses": ["2xx", 409, 422]}}
CHECKS = {
    # RFC 6585 has a status of its own for the one header that is required.
    "checks": {"missing_required_header": {"expected-statuses": [428]}},
    "operations": [
        {"include-name": "GET /api/v1/books", "checks": UNSAID},
        {"include-name": "GET /api/v1/authors", "checks": UNSAID},
        {"include-name": "POST /api/v1/books", "checks": KEY_USED},
        {"include-path": "/api/v1/books/{name}", "include-method": ["PUT", "PATCH", "DELETE"], "checks": UNSAID},
    ],
}


def isbn(digits):
    body = [9, 7, 8, *digits]
    return "".join(map(str, body)) + str(-sum(digit * (1, 3)[place % 2] for place, digit in enumerate(body)) % 10)


schemathesis.openapi.format("isbn", st.lists(st.integers(0, 9), min_size=9, max_size=9).map(isbn))


many = 1_000_000
# The specification needs no database; the tests give the app one of each kind.
exposed = create_app(Settings(site_url="http://localhost", writes_per_minute=many, failed_logins_per_minute=many))
schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", exposed, config=schemathesis.Config.from_dict(CHECKS))


@pytest.fixture(scope="module")
def token(databases):
    """A token that may write to a catalogue of some books without limit."""
    url = databases.create(databases.empty)
    engine = database.connect(url)
    exposed.extensions["colophon"] = replace(state.of(exposed), engine=engine)
    writing.add_books(engine, made_up_books(30))
    with database.transaction(engine) as db:
        made = tokens.create(db, "schemathesis", "write", timedelta(days=1))
    yield made
    engine.dispose()
    databases.remove(url)


@schema.parametrize()
@settings(max_examples=CASES_PER_OPERATION, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_does_what_its_specification_says(case, token):
    case.call_and_validate(headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"})


def operations(client):
    paths = client.get("/api/v1/openapi.json").json["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_the_routes_and_the_specification_are_equal(app, client):
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert operations(client) == routes


def test_the_page_and_the_specification_are_equal(client, page):
    calls = {tuple(call.split()) for call in page("/api/docs").texts("h3 + p > code")}
    assert calls == operations(client)


def test_the_page_names_the_statuses_that_the_specification_has(client, page):
    soup = page("/api/docs")
    shown = [text(code.parent) for code in soup.select("h3 + p > code")]
    statuses = [re.findall(r"\b\d{3}\b", line) for line in soup.texts("p") if line.startswith("Responses ")]
    paths = client.get("/api/v1/openapi.json").json["paths"]
    described = {
        f"{method.upper()} {path}": list(paths[path][method]["responses"]) for path in paths for method in paths[path]
    }
    assert dict(zip(shown, statuses, strict=True)) == described


def test_every_call_has_a_line_to_copy_that_works_as_it_stands(page, client):
    for line in page("/api/docs").texts("pre code"):
        words = shlex.split(line)
        assert words[0] == "curl"
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        response = client.open(words[-1].removeprefix("http://localhost"), method=method)
        assert response.status_code == (200 if method == "GET" else 401)

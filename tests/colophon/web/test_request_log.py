import json
import logging
import logging.config
from urllib.parse import quote

import pytest

from colophon.settings import Settings
from colophon.web import request_log as logs
from colophon.web.templating import asset
from tests.conftest import any_database

pytestmark = any_database


@pytest.fixture
def lines(capsys, make_app, request):
    """Ask the site something and return what it logs, in the format that the test is parametrized by."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    client = make_app().test_client()

    def ask(path, **options):
        logging.config.dictConfig(logs.config(Settings(log_format=getattr(request, "param", "json"))))
        response = client.open(path, **options)
        response.close()
        return response, capsys.readouterr().out.splitlines()

    yield ask
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_request_is_one_line_of_json(lines):
    response, logged = lines("/books?q=war")
    assert len(logged) == 1
    line = json.loads(logged[0])
    assert (line["method"], line["path"], line["status"]) == ("GET", "/books", 200)
    assert line["bytes"] == len(response.data)
    assert line["ms"] > 0
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert line["time"].endswith("Z")


def test_what_a_visitor_searches_for_is_not_written_down(lines):
    assert "war" not in lines("/books?q=war")[1][0]


@pytest.mark.parametrize("given", ["abc-123", "0" * 64, "1.2_3"])
def test_a_valid_request_id_is_kept(lines, given):
    response, logged = lines("/about", headers={"X-Request-Id": given})
    assert response.headers["X-Request-Id"] == json.loads(logged[0])["request_id"] == given


@pytest.mark.parametrize("given", ["", "0" * 65, "a b", '"}', "ä"])
def test_an_invalid_request_id_is_replaced(lines, given):
    response, _ = lines("/about", headers={"X-Request-Id": given})
    assert len(response.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_not_logged_as_a_visit(lines, path):
    assert lines(path)[1] == []


def test_a_refusal_is_logged_as_what_it_is(lines):
    assert json.loads(lines("/books?page=x")[1][0])["status"] == 400
    assert json.loads(lines("/books", method="POST")[1][0])["status"] == 405


def test_a_path_cannot_forge_a_line(lines):
    _, logged = lines("/x%0A%7B%22status%22:200%7D")
    assert len(logged) == 1
    assert json.loads(logged[0])["path"] == '/x\n{"status":200}'


def test_head_sends_no_bytes(lines):
    assert json.loads(lines("/books", method="HEAD")[1][0])["bytes"] == 0


def test_an_asset_is_logged_with_its_size(lines):
    line = json.loads(lines(asset("site.css"))[1][0])
    assert line["status"] == 200
    assert line["bytes"] > 1000


@pytest.mark.parametrize("lines", ["console"], indirect=True)
def test_a_person_is_told_in_words(lines):
    _, logged = lines("/books")
    assert "GET" in logged[0]
    assert "/books" in logged[0]
    assert not logged[0].startswith("{")
    assert "\x1b[" not in logged[0], "colour is for terminals"


# A colour, a window's title, another C1 form of both, DEL, an override of direction and a separator of lines.
DRIVING = "\x1b[31m\x1b]0;owned\x07\x9b31m\x7f\u202e\u2028"


@pytest.mark.parametrize("lines", ["console", "json"], indirect=True)
def test_a_path_cannot_drive_the_terminal_that_shows_it(lines):
    _, logged = lines(f"/{quote(DRIVING)}")
    assert len(logged) == 1
    assert logged[0].isprintable()
    assert "31m" in logged[0]


def logged_error(capsys, log_format):
    """Log an error whose text and exception are a visitor's, and return what was written."""
    logging.config.dictConfig(logs.config(Settings(log_format=log_format)))
    try:
        raise ValueError(DRIVING)
    except ValueError:
        logging.getLogger("colophon.test").exception("cannot read %s", DRIVING, extra={"given": DRIVING})
    return capsys.readouterr().out


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_neither_can_a_message_a_value_or_an_exception(capsys, lines, log_format):
    written = logged_error(capsys, log_format)
    assert written.replace("\n", "").isprintable()
    assert written.count("owned") >= 3


def test_a_traceback_keeps_its_lines_for_people(capsys, lines):
    written = logged_error(capsys, "console").splitlines()
    assert written[1] == "Traceback (most recent call last):"
    assert written[-1].startswith("ValueError: \\x1b[31m")

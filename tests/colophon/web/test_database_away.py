"""PostgreSQL stops under the running site and comes back: visitors are told to wait, and nothing else goes wrong."""

import http.client
import json
import threading
import time
from collections import Counter
from datetime import timedelta
from itertools import count
from typing import Self

import pytest

from colophon import database
from colophon.access import tokens
from tests.conftest import Server
from tests.waiting import until

pytestmark = pytest.mark.slow

PATHS = ("/", "/books?q=war", "/books/emma", "/authors", "/readyz")
PATIENCE = 20.0  # seconds that a visitor waits for an answer


class Visitors:
    """A few threads that ask for pages, one after another, and note what each answer was and when it was sent."""

    def __init__(self, site: Server, number: int = 4) -> None:
        self._port = site.port
        self._ended = threading.Event()
        self.answers: list[tuple[float, str, int, str | None]] = []
        self._threads = [threading.Thread(target=self._visit, args=(start,)) for start in range(number)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, turn: int) -> None:
        while not self._ended.wait(0.01):
            turn += 1
            path = PATHS[turn % len(PATHS)]
            requested = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            connection.close()
            self.answers.append((requested, path, response.status, response.headers["Retry-After"]))

    def wait_for(self, status: int, path: str | None = None) -> None:
        """Wait until a request that is sent from now on is answered so."""
        now = time.monotonic()

        def came() -> bool:
            return any(a[0] > now and a[2] == status and path in (None, a[1]) for a in self.answers.copy())

        assert until(came, alive=self._threads[0].is_alive), f"no answer {status}: {self.answers[-20:]}"


def add_a_book(port: int, token: str, title: str) -> tuple[int, str | None]:
    """Add a book by the API and return the answer's status and the book's slug."""
    book = {"title": title, "authors": [{"name": "A B"}], "year": 1, "language": "en", "description": "One."}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection.request("POST", "/api/v1/books", json.dumps(book), headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer.get("slug")


def test_a_server_that_stops_and_starts_again_costs_503s_and_nothing_else(own_postgres, tmp_path):
    url = own_postgres.create("colophon")
    site = Server(tmp_path, DATABASE_URL=url, LOG_FORMAT="json", WRITES_PER_MINUTE="1000000")
    engine = database.connect(url)
    with database.transaction(engine) as db:
        token = tokens.create(db, "a writer", "write", timedelta(days=1))
    acknowledged, refused, ended = [], [], threading.Event()

    def write():
        for number in count():
            if ended.wait(0.01):
                return
            status, slug = add_a_book(site.port, token, f"Book {number}")
            (acknowledged if status == 201 else refused).append((status, slug))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with Visitors(site) as visitors:
            visitors.wait_for(200)
            for _ in range(2):
                own_postgres.stop()
                visitors.wait_for(503, "/readyz")
                visitors.wait_for(503, "/")
                own_postgres.start()
                visitors.wait_for(200, "/readyz")
                visitors.wait_for(200, "/")
            back = time.monotonic()
            time.sleep(1)
    finally:
        ended.set()
        writer.join()
        exit_code = site.stop()
    statuses = Counter(answer[2] for answer in visitors.answers)
    assert statuses.keys() == {200, 503}, statuses
    assert {answer[2] for answer in visitors.answers if answer[0] > back} == {200}
    assert all(answer[3] for answer in visitors.answers if answer[2] == 503 and answer[1] != "/readyz")
    assert exit_code == 0

    assert acknowledged
    assert {status for status, _ in refused} == {503}
    with engine.connect() as db:
        kept = set(db.exec_driver_sql("SELECT slug FROM books").scalars())
    engine.dispose()
    assert not {slug for _, slug in acknowledged} - kept, "what was acknowledged is lost"


def test_the_site_starts_on_postgresql_with_its_books_and_stops_cleanly(own_postgres, tmp_path):
    url = own_postgres.create("colophon")
    started = []
    starting = [
        threading.Thread(target=lambda folder: started.append(Server(folder, DATABASE_URL=url)), args=(folder,))
        for folder in (tmp_path / "one", tmp_path / "two")
    ]
    for number, thread in enumerate(starting):
        (tmp_path / ("one", "two")[number]).mkdir()
        thread.start()
    for thread in starting:
        thread.join()
    assert len(started) == 2, "both start, though they start together"
    assert [site.stop() for site in started] == [0, 0]
    assert sum("loaded 515 books" in site.log.read_text() for site in started) == 1
    engine = database.connect(url)
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM books").scalar_one() == 515
    engine.dispose()

"""The visitors: their requests, their report, and their limits."""

import http.server
import threading
from contextlib import contextmanager

import pytest

from tests.emulator.visitors import Visitors, loopback
from tests.waiting import LONGEST


@contextmanager
def site(answer):
    """A site that answers its n-th request with `answer(n)`: status and body, or None to hang up."""

    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self):
            paths.append(self.path)
            found = answer(len(paths))
            if found is None:
                self.close_connection = True
                return
            self.send_response(found[0])
            self.send_header("Content-Length", str(len(found[1])))
            self.send_header("Release", "one")
            self.end_headers()
            self.wfile.write(found[1])
            if len(paths) >= 20:
                done.set()

        def log_message(self, *_):
            pass

    paths, done = [], threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = False  # so that they are waited for
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths, done
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def visited(answer, **settings):
    """Return the visitors' report of some twenty requests, and the paths of these."""
    with site(answer) as (url, paths, done), Visitors(url, rate=400, **settings) as visitors:
        assert done.wait(LONGEST)
    return visitors.report(), paths


def test_a_good_site_fails_nobody():
    report, paths = visited(lambda _: (200, b"hello"))
    assert report.requests == len(paths) >= 20
    assert report.failures == []
    assert 0 < report.p50 <= report.p95 <= report.slowest
    assert report.seconds > 0


def test_every_failure_is_kept_with_its_reason_and_path():
    report, _ = visited(lambda number: (200, b"") if number % 3 else (502, b""), paths=["/books"])
    assert report.reasons.keys() == {"502 Bad Gateway"}
    assert {failure.path for failure in report.failures} == {"/books"}
    assert all(failure.at >= 0 for failure in report.failures)


def test_a_connection_that_breaks_is_a_failure():
    report, _ = visited(lambda number: None if number == 5 else (200, b""), visitors=2)
    assert len(report.failures) == 1
    assert "RemoteDisconnected" in report.failures[0].reason


def test_an_unexpected_status_is_a_failure():
    assert visited(lambda _: (404, b""))[0].reasons["404 Not Found"]
    assert not visited(lambda _: (404, b""), expected=[404])[0].failures


def test_the_paths_take_turns():
    _, paths = visited(lambda _: (200, b""), paths=["/", "/books"])
    assert abs(paths.count("/") - paths.count("/books")) <= 8


def test_the_report_names_what_answered():
    report, _ = visited(
        lambda number: (200, b"old" if number < 10 else b"new"), identify=lambda h, b: h["release"] + b.decode()
    )
    assert set(report.seen) == {"oneold", "onenew"}
    assert report.seen["oneold"].first <= report.seen["onenew"].first
    assert sum(sight.times for sight in report.seen.values()) == report.requests


def test_visitors_leave_after_their_time():
    with site(lambda _: (200, b"")) as (url, _, _):
        visitors = Visitors(url, rate=100, seconds=0.2, visitors=2)
        with visitors:
            for thread in visitors._threads:
                thread.join(LONGEST)
                assert not thread.is_alive()


@pytest.mark.parametrize(
    "url",
    ["http://example.org", "http://10.0.0.1", "http://192.168.1.1:8000", "https://127.0.0.1", "http://172.17.0.1"],
)
def test_visitors_load_sites_of_this_machine_only(url):
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1 only"):
        Visitors(url)


@pytest.mark.parametrize("settings", [{"rate": 501}, {"rate": 0}, {"seconds": 1801}, {"seconds": 0}, {"visitors": 0}])
def test_the_load_of_visitors_is_limited(settings):
    with pytest.raises(ValueError, match="at most 500 requests per second for 1800 seconds"):
        Visitors("http://127.0.0.1", **settings)


@pytest.mark.parametrize(("host", "here"), [("127.0.0.53", True), ("localhost", True), ("::1", True), ("books", False)])
def test_the_loopback_address_is_known(host, here):
    assert loopback(host) is here

"""The availability meter."""

import http.server
import threading

import pytest

from delivery.deployment import availability
from delivery.deployment.availability import Meter, Tally
from tests.waiting import LONGEST


@pytest.fixture
def serve():
    """Serve what a function returns for each request: a status, or None for hanging up."""
    servers = []

    def serve(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status = answer()
                if status is None:
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_counts_what_was_answered_and_what_was_not(serve):
    enough = threading.Event()
    answers = [200, 502, 200, None, 404]

    def answer():
        if len(answers) == 1:
            enough.set()
        return answers.pop(0) if answers else 200

    with Meter(serve(answer), 0) as meter:
        enough.wait(LONGEST)
    tally = meter.tally()
    assert len(tally.milliseconds) >= 5
    assert tally.failed == 3
    assert "answered 502" in tally.failures[0]
    assert "RemoteDisconnected" in tally.failures[1]
    assert "answered 404" in tally.failures[2]


def test_it_notes_the_first_failures_only(serve):
    enough = threading.Event()
    count = iter(range(1000))

    def answer():
        if next(count) > 20:
            enough.set()
        return 500

    with Meter(serve(answer), 0) as meter:
        enough.wait(LONGEST)
    assert len(meter.tally().failures) == availability.EXAMPLES


def test_a_refused_connection_is_a_failure():
    assert "refused" in availability.request_failure("http://127.0.0.1:9/")


def test_what_is_no_http_is_a_failure(tmp_path):
    assert availability.request_failure("nonsense") is not None


def test_without_an_address_it_counts_nothing():
    with Meter(None, 0) as meter:
        assert meter.tally() is None


def test_it_ends_with_its_block(serve):
    with Meter(serve(lambda: 200), 0) as meter:
        pass
    assert not meter._thread.is_alive()


@pytest.mark.parametrize(
    ("times", "p95"), [([], None), ([7], 7), (list(range(1, 101)), 95), (list(range(20, 0, -1)), 19), ([1, 2], 2)]
)
def test_the_95th_percentile_is_a_time_that_was_measured(times, p95):
    assert Tally([float(time) for time in times]).p95 == p95


def test_it_is_told_in_a_line():
    assert Tally([12.0] * 20, 1).text() == "visitor: 20 requests, 1 failed, 95 % within 12 ms"
    assert Tally().text() == "visitor: 0 requests, 0 failed"

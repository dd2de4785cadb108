"""The last good page, while the site or its database is away."""

import json
import signal
import threading

import pytest

from tests.colophon.edge.stand_in import Edge, Site
from tests.waiting import until


def away(edge, path):
    """Wait until the edge knows, and return the page that it gives, which says so."""
    return until(lambda: (answer := edge.fetch(path)).headers.get("Age", "0") != "0" and answer)


def test_a_kept_page_comes_at_once_and_says_how_long_ago_the_site_was_well(site, edge):
    edge.fetch("/kept")
    site.seen.clear()
    site.well = False
    kept = away(edge, "/kept")
    assert (kept.status, kept.body, kept.cache) == (200, b"text", "hit; detail=away")
    assert site.seen == []
    site.well = True
    assert until(lambda: edge.fetch("/kept").cache == "hit")
    assert edge.fetch("/kept").headers["Age"] == "0"


def test_a_page_of_an_earlier_state_is_the_last_good_one(site, edge, change):
    edge.fetch("/earlier")
    change()
    site.well = False
    last = away(edge, "/earlier")
    assert (last.status, last.body, last.cache) == (200, b"text", "hit; detail=last-good")
    site.well, site.text = True, "newer"
    assert until(lambda: edge.fetch("/earlier").body == b"newer")


def test_a_page_that_was_never_good_is_the_sites_own_answer(site, edge):
    site.well = False
    answer = edge.fetch("/never")
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (503, b"away", "5")


def test_what_was_never_kept_is_not_given_to_another_while_the_site_is_away(site, edge):
    edge.fetch("/private", Authorization="Bearer made-up")
    site.well = False
    assert [edge.fetch("/private").status, edge.fetch("/private", Cookie="session=1").status] == [503, 503]


@pytest.fixture
def alone(nginx, tmp_path):
    """The edge of a site that is gone, and its port."""
    site = Site()
    edge = Edge(tmp_path, site.port).wait()
    edge.fetch("/kept")
    site.end()
    yield edge, site.port
    edge.stop()


def test_without_a_site_pages_are_the_last_good_ones_and_errors_are_the_edges(alone):
    edge, port = alone
    assert away(edge, "/kept").body == b"text"
    page, problem = edge.fetch("/other"), edge.fetch("/api/v1/books")
    assert (page.status, problem.status) == (503, 503)
    assert b"The catalogue is out of reach" in page.body
    assert json.loads(problem.body)["status"] == 503
    for answer, form in ((page, "text/html; charset=utf-8"), (problem, "application/problem+json")):
        assert answer.headers["Content-Type"] == form
        assert answer.headers["Retry-After"] == "5"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Colophon-Release"] == "working-copy"
    assert edge.fetch("/healthz").status == edge.fetch("/readyz").status == 503
    lines = [json.loads(line) for line in edge.log.read_text().splitlines()]
    assert "the site is away: last good pages are served" in {line["event"] for line in lines}
    back = Site(port)
    assert until(lambda: edge.fetch("/other").status == 200)
    back.end()


def test_health_is_not_told_for_a_site_that_does_not_answer(site, edge):
    site.going_on.clear()
    assert edge.fetch("/healthz").status == 503


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_the_requests_that_it_has_begun(nginx, tmp_path, how):
    site = Site()
    edge = Edge(tmp_path, site.port).wait()
    site.going_on.clear()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(edge.fetch("/begun").body))
    thread.start()
    assert until(lambda: site.seen)
    edge.process.send_signal(how)
    assert until(lambda: not edge.listens())
    site.going_on.set()
    thread.join()
    assert (answers, edge.process.wait()) == ([b"text"], 0)
    site.end()

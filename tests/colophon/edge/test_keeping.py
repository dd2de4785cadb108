"""Pages that the edge keeps, for as long as they are the same, and answers that it must not keep."""

import threading

import pytest

from tests.waiting import until

GZIP = {"Accept_Encoding": "gzip, deflate, br"}


def test_a_kept_page_comes_without_the_site_until_the_catalogue_changes(site, edge, change):
    assert [edge.fetch("/a").cache for _ in range(3)] == ["fwd=miss", "hit", "hit"]
    assert site.paths() == ["/a"]
    site.text = "changed"
    assert edge.fetch("/a").body == b"text"
    change()
    assert (edge.fetch("/a").body, edge.fetch("/a").cache) == (b"changed", "hit")
    assert site.paths() == ["/a"]


def test_one_request_goes_through_for_a_page_that_many_wait_for(site, edge, change):
    edge.fetch("/wanted")
    site.text = "changed"
    change()
    site.going_on.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(edge.fetch("/wanted").body)) for _ in range(50)]
    for thread in threads:
        thread.start()
    assert until(lambda: site.seen)
    site.going_on.set()
    for thread in threads:
        thread.join()
    assert (answers, site.paths()) == ([b"changed"] * 50, ["/wanted"])


def test_requests_for_what_is_not_kept_do_not_wait_for_each_other(site, edge):
    edge.fetch("/own/page")
    site.seen.clear()
    site.going_on.clear()
    threads = [threading.Thread(target=edge.fetch, args=["/own/page"]) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert until(lambda: len(site.seen) == 20)
    site.going_on.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("other", [{"Host": "evil.example"}, {"Cookie": "colour_mode=dark"}, GZIP])
def test_a_visitor_whose_answer_is_not_kept_takes_nothing_from_the_pages_of_others(site, edge, other):
    site.refused = True
    assert edge.fetch("/contested", **other).status == 404
    site.refused = False
    assert [edge.fetch("/contested").cache for _ in range(2)] == ["fwd=miss", "hit"]


def test_a_page_of_an_older_state_than_the_edge_knows_is_passed_on_and_not_kept(site, edge):
    known, site.state = site.state, "older"
    try:
        # The edge learns of the state only later than this page was made.
        first = edge.fetch("/behind")
    finally:
        site.state = known
    site.text = "newer"
    assert (first.body, edge.fetch("/behind").body) == (b"text", b"newer")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer made-up"},
        {"Cookie": "session=1"},
        {"Cookie": "colour_mode=dark; session=1"},
        {"Cookie": "colour_mode=sepia"},
        {"Cookie": "colour_mode=dark; colour_mode=light"},
        {"Accept_Encoding": "gzip;q=0"},
        {"Accept_Encoding": "*"},
    ],
)
def test_what_has_a_token_another_cookie_or_an_unclear_encoding_is_neither_kept_nor_given_a_kept_page(
    site, edge, headers
):
    edge.fetch("/mine")
    edge.fetch("/mine", **GZIP)
    site.seen.clear()
    site.text = "for one visitor"
    assert [edge.fetch("/mine", **headers).body for _ in range(2)] == [b"for one visitor"] * 2
    assert [edge.fetch("/mine").body, edge.fetch("/mine", **GZIP).body] == [b"text"] * 2
    # As the visitor sent it.
    assert [{name: seen[name.replace("_", "-")] for name in headers} for _, _, seen, _ in site.seen] == [headers] * 2


def test_each_colour_mode_each_encoding_and_each_host_has_a_page_of_its_own(site, edge):
    kinds = [
        *({"Cookie": f"colour_mode={mode}"} for mode in ("light", "dark", "auto")),
        GZIP,
        {"Host": "localhost:8000"},
        {"Cookie": "colour_mode=dark", **GZIP},
    ]
    for number, kind in enumerate(kinds):
        site.text = str(number)
        edge.fetch("/kinds", **kind)
    assert [edge.fetch("/kinds", **kind).body for kind in kinds] == [str(n).encode() for n in range(len(kinds))]
    site.text = "none of them"
    assert edge.fetch("/kinds", Cookie="colour_mode=auto").body == edge.fetch("/kinds").body == b"2"
    # A port says nothing of the page, and visitors could choose any.
    assert edge.fetch("/kinds", Host="localhost:1").body == b"4"


@pytest.mark.parametrize("path", ["/own/page", "/api/v1/books", "/healthz"])
def test_an_answer_without_a_state_and_the_api_and_health_are_never_kept(site, edge, path):
    answers = [edge.fetch(path) for _ in range(2)]
    assert [answer.cache == "hit" for answer in answers] == [False, False]
    assert site.paths() == [path, path]


@pytest.mark.parametrize(
    ("path", "size", "cache"),
    [("/sized?q=a", 29_999, "hit"), ("/sized?q=b", 30_000, "fwd=bypass"), ("/sized", 200_000, "hit")],
)
def test_a_large_page_is_kept_if_it_has_no_query_of_which_there_is_no_end(site, edge, path, size, cache):
    site.text = "x" * size
    site.headers = {"ETag": '"large"'}
    assert [edge.fetch(path).cache for _ in range(2)] == ["fwd=miss", cache]
    assert len(edge.fetch(path).body) == size


def test_an_answer_that_sets_a_cookie_is_not_kept(site, edge):
    site.headers = {"Set-Cookie": "colour_mode=dark"}
    assert "hit" not in [edge.fetch("/sets").cache for _ in range(3)]


def test_a_kept_page_is_asked_for_conditionally_by_its_visitor_and_has_no_body_for_head(site, edge):
    first = edge.fetch("/conditional")
    again = edge.fetch("/conditional", If_None_Match=first.headers["ETag"])
    head = edge.fetch("/conditional", "HEAD")
    assert (again.status, again.body, head.status, head.body) == (304, b"", 200, b"")
    assert head.headers["Content-Length"] == first.headers["Content-Length"]
    assert site.paths() == ["/conditional"]


def test_each_answer_has_an_id_of_its_own_and_a_visitor_sees_nothing_of_the_state(site, edge):
    answers = [edge.fetch("/id"), edge.fetch("/id"), edge.fetch("/id", X_Request_Id="from-the-balancer")]
    ids = [answer.headers.get_all("X-Request-Id") for answer in answers]
    assert ids[2] == ["from-the-balancer"]
    assert len({tuple(each) for each in ids}) == 3
    assert site.seen[0][2]["X-Request-Id"] == ids[0][0]
    hidden = {"Colophon-State", "X-Accel-Expires", "Edge-Last-Good"}
    assert not any(hidden & set(answer.headers) for answer in answers)

"""The colophon: what it says of a release and of a working copy, and the passport that programs read."""

import json
import platform
from dataclasses import replace
from importlib.metadata import version

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colophon.release import passport
from tests.conftest import any_database
from tests.pagecheck import PageClient, attribute, text
from tests.releases import COMMIT, DIGEST, RELEASED, TASK, released

pytestmark = any_database

SCAN, EXCEPTION = RELEASED["scans"][0], RELEASED["exceptions"][0]


@pytest.fixture
def page_of(make_app, resolved):
    """Fetch the colophon of a release."""

    def fetch(release):
        return PageClient(make_app(release=release).test_client(), resolved)("/colophon")

    return fetch


@pytest.fixture
def colophon_of(page_of):
    """The colophon of a release that differs in places; `digest` and `task` are what ECS says."""
    return lambda digest=None, task=None, **changed: page_of(
        replace(released(**changed), image_digest=digest, task=task)
    )


def stations(soup):
    """Return the names of the stages that the release came through, and of those that it did not."""
    passed = soup.texts("svg.pipeline .stage:not(.muted)")
    return passed, soup.texts("svg.pipeline .stage.muted")


def fact(soup, name):
    (found,) = (row for row in soup.select(".facts > div") if text(row.select("dt")[0]) == name)
    return text(found.select("dd")[0])


def test_the_colophon_of_a_working_copy_says_that_it_is_one(page):
    soup = page("/colophon")
    assert "working copy" in text(soup.one("main"))
    assert platform.python_version() in text(soup.one("main"))
    assert stations(soup) == (["Commit"], ["Test", "Scan", "Build", "Deploy"])
    assert len(soup.select("svg.pipeline .track.ahead")) == 4
    assert not soup.select(".facts")


def test_the_colophon_names_what_the_site_is_made_of(page):
    rows = page("/colophon").texts("table tbody tr")
    assert any(row.startswith("Flask") and version("flask") in row and "BSD-3-Clause" in row for row in rows)
    assert not any(row.lower().startswith("pytest") for row in rows)
    assert not any("not stated" in row for row in rows)


def test_the_colophon_of_a_release_draws_its_pipeline_with_its_figures(colophon_of):
    soup = colophon_of(DIGEST, TASK)
    assert stations(soup) == (["Commit", "Test", "Scan", "Build", "Deploy"], [])
    assert not soup.select("svg.pipeline .ahead")
    assert soup.texts("svg.pipeline text:not(.stage)") == [
        "5f0c2d19a4be",
        "on master",
        "1,199 passed",
        "4 skipped",
        "96.4% of lines covered",
        "secrets: passed",
        "misconfigurations: passed",
        "licences: passed",
        "vulnerabilities: not run",
        "21 November 2026, 10:00 UTC",
        "2 parts, Python 3.13.5",
        "sha256:9c41e7b29c41",
        "task 158d1c80 in eu-west-1a",
    ]


def test_whoever_cannot_see_the_drawing_is_told_all_of_it(colophon_of):
    soup = colophon_of(DIGEST, TASK)
    drawing = soup.one("svg[role=img]")
    title, words = (text(soup.one(f"#{name}")) for name in attribute(drawing, "aria-labelledby").split())
    assert title == "The way of this release"
    for shown in [*soup.texts("svg.pipeline .stage"), *soup.texts("svg.pipeline text")]:
        assert shown in words


def test_the_colophon_of_a_release_says_what_stands_behind_it(colophon_of):
    soup = colophon_of(DIGEST, TASK)
    words = text(soup.one(".passage .prose"))
    assert f"commit {COMMIT} on master" in words
    assert "began on 21 November 2026, 10:00 UTC" in words
    assert soup.select(f"a[href='{RELEASED['pipeline_url']}']")
    assert fact(soup, "Tests") == (
        "1,203 tests took 4 minutes 12 seconds: 1,199 passed, none failed and 4 were skipped. "
        "They cover 96.4% of the lines and 91.2% of the branches."
    )
    assert "Secrets: passed by trivy 0.76.0, with no findings." in fact(soup, "Scans")
    assert "Misconfigurations: passed by trivy 0.76.0, with 1 finding." in fact(soup, "Scans")
    assert "Vulnerabilities: not run; trivy 0.76.0 would have run. The database of" in fact(soup, "Scans")
    assert "AVD-DS-0026 is accepted until 1 May 2027. The load balancer" in fact(soup, "Exceptions")
    assert fact(soup, "Image") == DIGEST
    assert fact(soup, "Task") == f"{TASK.id}, revision colophon:42, in eu-west-1a"
    assert text(soup.one("caption")) == "Colophon 1.0.0 on Python 3.13.5, and the software it stands on"
    assert len(soup.select("table tbody tr")) == 2


def test_what_is_not_on_record_is_said_not_to_be(colophon_of):
    soup = colophon_of(tests=None, coverage=None, scans=[], exceptions=[], pipeline_url=None, ref=None)
    assert stations(soup) == (["Commit", "Build"], ["Test", "Scan", "Deploy"])
    assert f"set by hand, without a pipeline, from commit {COMMIT}, which was made on 21 N" in text(
        soup.one(".passage .prose")
    )
    assert "by hand" in soup.texts("svg.pipeline text")
    assert fact(soup, "Tests") == "No results are on record."
    assert fact(soup, "Scans") == "None are on record."
    assert fact(soup, "Exceptions") == "There are none."
    assert fact(soup, "Image").startswith("Only Amazon ECS knows the digest")
    assert not [row for row in soup.texts(".facts dt") if row == "Task"]


def test_a_track_is_solid_only_between_stations_that_were_reached(colophon_of):
    soup = colophon_of(DIGEST, TASK, scans=[])
    assert ["ahead" in attribute(line, "class") for line in soup.select("svg.pipeline line")] == [
        False,
        True,
        True,
        False,
    ]


def test_no_tests_are_no_success(colophon_of):
    soup = colophon_of(tests=dict.fromkeys(RELEASED["tests"], 0), coverage=None)
    assert "Test" in stations(soup)[1]
    assert fact(soup, "Tests").startswith("There were none to run.")
    assert "passed" not in text(soup.one("#pipeline-words")).split("Scan")[0]


def test_failures_are_shown_as_such(colophon_of):
    failed = SCAN | {"verdict": "failed", "findings": 3}
    soup = colophon_of(tests=RELEASED["tests"] | {"failed": 2, "skipped": 1}, scans=[failed])
    assert {"2 failed", "secrets: failed"} <= set(soup.texts("svg.pipeline text"))
    assert len(soup.select("svg.pipeline .failed")) == 2
    assert "2 failed and 1 was skipped" in fact(soup, "Tests")
    assert fact(soup, "Scans") == "Secrets: failed by trivy 0.76.0, with 3 findings."


def test_scans_of_which_none_was_run_are_a_station_not_reached(colophon_of):
    soup = colophon_of(scans=[SCAN | {"verdict": "not run", "findings": None}])
    assert "Scan" in stations(soup)[1]
    assert fact(soup, "Scans").endswith("The reason is not on record.")


def test_a_task_whose_image_is_named_by_a_tag_says_so(colophon_of):
    soup = colophon_of(None, TASK)
    assert fact(soup, "Image") == "Its task does not name it by a digest."
    assert "Deploy" in stations(soup)[0]


def test_many_exceptions_are_all_shown(colophon_of):
    exceptions = [EXCEPTION | {"id": f"CVE-2026-{number:05}"} for number in range(150)]
    assert fact(colophon_of(exceptions=exceptions), "Exceptions").count("is accepted until") == 150


def test_a_name_too_long_for_the_drawing_keeps_its_verdict(colophon_of):
    soup = colophon_of(ref="feature/" + "long-" * 100, scans=[SCAN | {"name": "everything " * 20}])
    lines = soup.texts("svg.pipeline text")
    assert "on feature/long-long-long-lo…" in lines
    assert "everything everythin…: passed" in lines
    for words in (soup.one(".passage .prose"), soup.one("#pipeline-words")):
        assert "long-" * 100 in text(words)
        assert ("everything " * 20).strip() in text(words).lower()


MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;"


def test_markup_in_a_passport_is_text(colophon_of):
    soup = colophon_of(
        ref=MARKUP.replace(" ", ""),
        scans=[{"name": MARKUP, "tool": MARKUP, "verdict": "failed", "findings": None, "note": MARKUP}],
        exceptions=[EXCEPTION | {"id": MARKUP, "reason": MARKUP}],
        components=[dict.fromkeys(("name", "version", "licence", "summary"), MARKUP)],
    )
    assert not soup.select("main script, main img")
    assert soup.texts(".facts li .note") == [MARKUP, MARKUP]
    assert soup.texts("tbody td") == [MARKUP] * 3


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100)
COUNT = st.integers(0, 10**6)
ANY_RELEASE = {
    "ref": st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=300),
    "pipeline_url": st.none() | st.just(RELEASED["pipeline_url"]),
    "tests": st.none() | st.fixed_dictionaries(dict.fromkeys(RELEASED["tests"], COUNT)),
    "coverage": st.none() | st.fixed_dictionaries(dict.fromkeys(("lines", "branches"), st.floats(0, 100))),
    "scans": st.lists(
        st.fixed_dictionaries(
            {
                "name": WORDS,
                "tool": WORDS,
                "verdict": st.sampled_from(["passed", "failed", "not run"]),
                "findings": st.none() | COUNT,
                "note": st.none() | WORDS,
            }
        ),
        max_size=6,
    ),
    "exceptions": st.lists(
        st.fixed_dictionaries({"id": WORDS, "reason": WORDS, "until": st.dates().map(str)}), max_size=6
    ),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.fixed_dictionaries(ANY_RELEASE), st.sampled_from([(None, None), (DIGEST, TASK), (None, TASK)]))
def test_whatever_a_release_says_makes_a_sound_page(make_app, resolved, changed, where):
    release = replace(released(**changed), image_digest=where[0], task=where[1])
    app = make_app(release=release)
    soup = PageClient(app.test_client(), resolved)("/colophon")
    assert len(soup.select(".facts li")) == len(release.scans) + len(release.exceptions)
    assert json.loads(app.test_client().get("/release.json").text) == json.loads(release.json())


def test_the_colophon_announces_the_passport_for_programs(page):
    link = page("/colophon").one("link[rel=alternate][type='application/json']")
    assert attribute(link, "href") == "http://localhost/release.json"


def test_the_passport_is_served_as_it_is(client, make_app):
    release = replace(released(), image_digest=DIGEST, task=TASK)
    response = make_app(release=release).test_client().get("/release.json")
    assert response.mimetype == "application/json"
    assert response.text == release.json()
    assert response.text.startswith('{\n  "state": "released",\n')
    assert client.get("/release.json").text == passport.current().json()


def test_nobody_keeps_the_passport_for_another_time(client):
    assert client.get("/release.json").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", [200, 304])
def test_one_release_is_never_taken_for_another(make_app, status):
    """A visitor's copy of the one before is not good after it was replaced."""
    before, after = (make_app(release=released(commit=commit)).test_client() for commit in (COMMIT, COMMIT[::-1]))
    for path in ("/release.json", "/colophon", "/"):
        tag = before.get(path).headers["ETag"]
        client, commit = (after, COMMIT[::-1]) if status == 200 else (before, COMMIT)
        response = client.get(path, headers={"If-None-Match": tag})
        assert (response.status_code, response.headers[passport.HEADER]) == (status, commit)


def test_every_page_leads_to_the_colophon(page, make_app, resolved):
    assert text(page("/about").one("footer a[href='/colophon']")) == "working copy"
    of_release = PageClient(make_app(release=released()).test_client(), resolved)
    assert text(of_release("/about").one("footer a[href='/colophon']")) == "release 5f0c2d1"

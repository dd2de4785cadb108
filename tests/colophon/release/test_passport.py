"""The passport: its schema, the file that it is read from, and a working copy's."""

import json
from importlib import metadata

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from colophon.release import passport
from colophon.release.passport import PassportError
from tests.releases import COMMIT, DIGEST, RELEASED, released, stated

SCHEMA = json.loads(passport.SCHEMA.read_text(encoding="utf-8"))
STANDARD = jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True)
SCAN, COMPONENT, EXCEPTION = (RELEASED[name][0] for name in ("scans", "components", "exceptions"))
TASK = {"id": "158d1c80", "revision": "colophon:42", "zone": "eu-west-1a"}
WORKING_COPY = json.loads(passport.read().json())

SOUND = {
    "as the build writes it": {},
    "on ECS": {"image_digest": DIGEST, "task": TASK},
    "in no zone that is known": {"task": TASK | {"zone": None}},
    "by hand": {"pipeline_url": None, "ref": None},
    "without evidence": {"tests": None, "coverage": None, "scans": [], "exceptions": []},
    "with no test": {"tests": dict.fromkeys(RELEASED["tests"], 0)},
    "with every line visited": {"coverage": {"lines": 100, "branches": 0}},
    "with many exceptions": {"exceptions": [EXCEPTION] * 200},
    "of a branch with a long name": {"ref": "<b>&" + "x" * 4000},
}
WRONG = {
    "no known state": {"state": "draft"},
    "a release of no commit": {"commit": None},
    "a release of no time": {"built_at": None},
    "a short commit": {"commit": COMMIT[:7]},
    "a commit in capitals": {"commit": COMMIT.upper()},
    "a line after the commit": {"commit": f"{COMMIT}\n"},
    "an empty ref": {"ref": ""},
    "a ref of two words": {"ref": "a b"},
    "a version that is none": {"version": "next"},
    "a Python that is none": {"python": 3.13},
    "a time that is none": {"built_at": "yesterday"},
    "a day that there is not": {"built_at": "2026-02-31T10:00:00Z"},
    "a time of another zone": {"built_at": "2026-11-21T10:00:00+01:00"},
    "a script for an address": {"pipeline_url": "javascript:alert(1)"},
    "an address without encryption": {"pipeline_url": "http://gitlab.example.org/1"},
    "tests without a count": {"tests": {"total": 1, "passed": 1, "failed": 0, "skipped": 0}},
    "a test too few": {"tests": RELEASED["tests"] | {"failed": -1}},
    "half a test": {"tests": RELEASED["tests"] | {"failed": 0.5}},
    "a test that is true": {"tests": RELEASED["tests"] | {"failed": True}},
    "more than all lines": {"coverage": {"lines": 100.1, "branches": 0}},
    "no branches": {"coverage": {"lines": 100}},
    "scans that are no list": {"scans": {}},
    "no known verdict": {"scans": [SCAN | {"verdict": "fine"}]},
    "a scan of nothing": {"scans": [SCAN | {"name": ""}]},
    "a scan that says more": {"scans": [SCAN | {"severity": "high"}]},
    "a component without a licence": {"components": [{"name": "x", "version": "1", "summary": ""}]},
    "a component of an unknown version": {"components": [COMPONENT | {"version": None}]},
    "an exception for ever": {"exceptions": [EXCEPTION | {"until": None}]},
    "an exception until no day": {"exceptions": [EXCEPTION | {"until": "2027-02-30"}]},
    "an exception until a moment": {"exceptions": [EXCEPTION | {"until": "2027-05-01T00:00:00Z"}]},
    "an exception without a reason": {"exceptions": [EXCEPTION | {"reason": ""}]},
    "a digest of another kind": {"image_digest": "md5:0"},
    "a task with its ARN": {"task": TASK | {"id": "arn:aws:ecs:eu-west-1:111122223333:task/colophon/158d1c80"}},
    "a task with its account": {"task": TASK | {"account": "111122223333"}},
    "a revision without a number": {"task": TASK | {"revision": "colophon"}},
    "one thing more": {"host": "ip-10-0-3-7"},
}


@pytest.mark.parametrize("changed", SOUND.values(), ids=SOUND)
def test_a_passport_obeys_the_schema(changed):
    STANDARD.validate(stated(**changed))
    assert json.loads(released(**changed).json()) == stated(**changed)


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG)
def test_what_does_not_obey_the_schema_is_refused_in_one_sentence(changed):
    assert not STANDARD.is_valid(stated(**changed))
    with pytest.raises(PassportError, match=r"^The release's passport (is|does not) [^\n]+\.$"):
        released(**changed)


@pytest.mark.parametrize("key", RELEASED)
def test_no_part_may_be_missing(key):
    lacking = {name: value for name, value in RELEASED.items() if name != key}
    assert not STANDARD.is_valid(lacking)
    with pytest.raises(PassportError, match=key):
        passport.parse(json.dumps(lacking))


@pytest.mark.parametrize(
    "claim",
    ["commit", "ref", "built_at", "pipeline_url", "tests", "coverage", "scans", "exceptions"],
)
def test_a_working_copy_can_claim_nothing(claim):
    claims = WORKING_COPY | {claim: RELEASED[claim]}
    assert not STANDARD.is_valid(claims)
    with pytest.raises(PassportError, match=claim):
        passport.parse(json.dumps(claims))


def paths(part, path=()):
    """Yield the way to each part of a passport, as keys and numbers."""
    yield path
    for key, inner in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield from paths(inner, (*path, key))


def put(part, path, value):
    if not path:
        return value
    copy = part.copy()
    copy[path[0]] = put(part[path[0]], path[1:], value)
    return copy


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**6) | st.floats(-1, 101) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(paths(RELEASED), key=str)), ANYTHING)
def test_the_site_reads_what_the_standard_allows_and_nothing_else(path, value):
    changed = put(RELEASED, path, value)
    try:
        read = passport.parse(json.dumps(changed))
    except PassportError:
        assert not STANDARD.is_valid(changed)
    else:
        STANDARD.validate(changed)
        assert json.loads(read.json()) == changed


@pytest.fixture
def release_file(tmp_path, monkeypatch):
    path = tmp_path / "release.json"
    monkeypatch.setattr(passport, "RELEASE", path)
    return path


def test_a_release_reads_its_passport(release_file):
    release_file.write_text(json.dumps(RELEASED))
    found = passport.read()
    assert (found.state, found.name, found.label) == ("released", COMMIT, "release 5f0c2d1")
    assert passport.current() == found


DAMAGED = {
    "empty": b"",
    "half": b'{"state": "released"',
    "not UTF-8": b'"\xff"',
    "a list": b"[]",
    "nothing": b"null",
    "endless": b"[" * 100_000,
    "no number": json.dumps(stated(tests=RELEASED["tests"] | {"seconds": float("nan")})).encode(),
    "too great a number": json.dumps(RELEASED).replace("252.4", "1e999").encode(),
    "half a character": json.dumps(stated(exceptions=[EXCEPTION | {"reason": "\ud800"}])).encode(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_passport_is_refused_in_one_sentence(release_file, content):
    release_file.write_bytes(content)
    with pytest.raises(PassportError, match=r"^The release's passport (is|does not) [^\n]+\.$"):
        passport.read()


def test_a_passport_that_cannot_be_read_is_said_to_be(release_file):
    release_file.mkdir()
    with pytest.raises(PassportError, match=r"release\.json cannot be read: Is a directory\.$"):
        passport.read()


def test_a_working_copy_does_not_pretend_to_be_a_release(release_file):
    found = passport.current()
    assert (found.state, found.commit, found.name, found.label) == (
        "working-copy",
        None,
        "working-copy",
        "working copy",
    )
    STANDARD.validate(json.loads(found.json()))


def test_a_digest_in_the_file_is_not_believed(release_file):
    release_file.write_text(json.dumps(stated(image_digest=DIGEST, task=TASK)))
    found = passport.current()
    assert (found.image_digest, found.task) == (None, None)


def test_every_component_names_its_licence():
    components = passport.current().components
    assert {"Flask", "gunicorn", "SQLAlchemy"} <= {component.name for component in components}
    assert [component for component in components if component.licence == "not stated"] == []


def test_a_component_of_another_platform_is_not_listed(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("flask==3\nno-such-package==1 ; sys_platform == 'win32'\n    --hash=sha256:0\n")
    assert [component.name for component in passport._components(lock)] == ["Flask"]


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: BSD\nClassifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("License: Apache-2.0", "Apache-2.0"),
        ("Summary: x", "not stated"),
    ],
)
def test_a_licence_is_read_from_wherever_a_package_states_it(headers, licence, tmp_path):
    folder = tmp_path / "thing-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: thing\nVersion: 1\n{headers}\n")
    assert passport._licence(metadata.PathDistribution(folder).metadata) == licence

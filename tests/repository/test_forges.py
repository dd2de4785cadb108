"""The files that GitLab and GitHub read: the owners, how to report a weakness, the template of a merge request."""

import re

import pytest

from tests.conftest import any_database
from tests.repository.checkout import ROOT, tracked

# Each file for GitLab, which is the source, and GitHub's copy of it.
COPIES = {
    ".gitlab/CODEOWNERS": ".github/CODEOWNERS",
    ".gitlab/SECURITY.md": ".github/SECURITY.md",
    ".gitlab/merge_request_templates/Default.md": ".github/pull_request_template.md",
}
OWNERS = (ROOT / ".gitlab/CODEOWNERS").read_text()
RULES = [line.split() for line in OWNERS.splitlines() if line and not line.startswith("#")]
# What GitLab and GitHub read alike: no section, exclusion, class, escape or remark within a line.
PATTERN = re.compile(r"[\w./*-]+")
# A person or a group; GitHub knows no groups within groups. Or a person's address.
OWNER = re.compile(r"@[\w.-]+(/[\w.-]+)?|[^@\s]+@[^@\s]+\.[a-z]+")


def wrong(rules):
    """Return the words that one of the two would not read, or would read otherwise."""
    for pattern, *owners in rules:
        yield from [] if PATTERN.fullmatch(pattern) else [pattern]
        yield from [owner for owner in owners if not OWNER.fullmatch(owner)] if owners else [f"{pattern} has no owner"]


@pytest.mark.parametrize(("source", "copy"), COPIES.items(), ids=COPIES)
def test_both_read_the_same(source, copy):
    assert (ROOT / copy).read_bytes() == (ROOT / source).read_bytes(), "`make .github` copies it"


def test_nothing_else_is_kept_for_one_of_them_alone():
    assert {*tracked(".gitlab/CODEOWNERS", ".gitlab/*.md", ".github/CODEOWNERS", ".github/*.md")} == {
        *COPIES,
        *COPIES.values(),
    }


@pytest.mark.parametrize("pattern", [pattern for pattern, *_ in RULES])
def test_each_pattern_of_the_owners_matches_a_file(pattern):
    """Git judges, whose patterns for what is ignored both follow."""
    assert tracked("--ignored", f"--exclude={pattern}")


@pytest.mark.parametrize(
    "name",
    [
        "ecs/service.yml",
        "delivery/exceptions.yaml",
        "delivery/cli.py",
        ".gitlab-ci.yml",
        ".gitlab/CODEOWNERS",
    ],
)
def test_what_decides_over_releases_has_an_owner(name):
    assert [pattern for pattern, *_ in RULES if name in tracked("--ignored", f"--exclude={pattern}")]


def test_both_understand_each_line_of_the_owners():
    assert list(wrong(RULES)) == []


@pytest.mark.parametrize(
    "line",
    ["[Delivery] @a/b", "!/ecs/ @a/b", "/ecs/", "/ecs/ maintainers", "/ecs/ @a/b/c", "/ecs/ @a/b # why", r"\#a @a/b"],
)
def test_a_line_that_one_of_them_does_not_understand_is_found(line):
    assert list(wrong([line.split()]))


@any_database
def test_a_weakness_is_reported_by_settings_and_pages_that_the_site_has(client):
    said = (ROOT / ".gitlab/SECURITY.md").read_text()
    for path in re.findall(r"`(/[\w./-]+)`", said):
        assert client.get(path).status_code == 200, path
    settings = (ROOT / "README.md").read_text()
    for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", said):
        assert f"| `{name}` |" in settings
    menu = (ROOT / "Makefile").read_text()
    for line in re.findall(r"`make ([a-z-]+)`", said):
        assert f"\n{line}: " in menu

"""delivery.toml is the one file of names: what cannot read it says the same, and nothing else names the same things."""

import re

import pytest

from delivery.environments import Environment, environment, site_name
from tests.repository.checkout import ROOT, tracked

PRODUCTION = environment(ROOT, {})
# The files that no step reads delivery.toml for: what in them names the same thing, and the name.
PLACES = {
    ".gitlab-ci.yml": {
        r'\$CI_COMMIT_BRANCH [!=]= "([^"]+)"': PRODUCTION.branch,
        r"resource_group: (\S+)": PRODUCTION.name,
        r"environment: { name: (\w+),": PRODUCTION.name,
    },
    "ecs/delivery.yml": {r"  ReleaseBranch:\n.+\n.+\n    Default: (\S+)": PRODUCTION.branch},
    "ecs/service.yml": {r"Default: /(\S+)/released-image": PRODUCTION.project},
    **{
        f"ecs/{stack}.yml": {r"  Project:\n.+\n.+\n    Default: (\S+)": PRODUCTION.project}
        for stack in ("network", "registry", "cluster", "load-balancer", "database")
    },
    "delivery/environments.py": {r'branch: str = "(\S+)"': Environment.branch, r'DEFAULT = "(\S+)"': PRODUCTION.name},
    "src/colophon/web/templating.py": {r'SITE_NAME = "([^"]+)"': site_name()},
}
# Files in which a step or a server is told something; prose and tests may name what they like.
TOLD = re.compile(r"(\.gitlab-ci\.yml|Makefile|docker-compose\.yml|\.ci/\w+|ecs/.+\.yml|delivery/.+\.py)")


@pytest.mark.parametrize("file", PLACES)
def test_what_cannot_read_the_file_says_the_same(file):
    text = (ROOT / file).read_text()
    for pattern, name in PLACES[file].items():
        found = re.findall(pattern, text)
        assert found, f"{file} has no {pattern} any more"
        assert set(found) == {name}


def strays(file, text):
    """Return the lines that name the released branch or an account's region outside comments and known places."""
    for pattern in PLACES.get(file, ()):
        text = re.sub(pattern, "", text)
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines()]
    anchors = r"on-master|runner-master|branches master"  # names of a rule and of the runner's entry
    return [
        line
        for line in lines
        if re.search(rf"\b{PRODUCTION.branch}\b", re.sub(anchors, "", line))
        or re.search(r"\b(eu|us|ap|sa|ca|me|af)-[a-z]+-\d\b", line)
    ]


def test_nothing_else_names_the_branch_or_a_region():
    told = [file for file in tracked() if TOLD.fullmatch(file)]
    assert len(told) > 50
    found = {file: lines for file in told if (lines := strays(file, (ROOT / file).read_text()))}
    assert found == {}


def test_a_planted_name_is_found():
    assert strays("Makefile", "deploy: ## Deploy\n\tgit push origin master\n") == ["\tgit push origin master"]
    assert strays("ecs/service.yml", "Region: eu-central-1") == ["Region: eu-central-1"]
    assert strays("Makefile", "# master of eu-central-1") == []

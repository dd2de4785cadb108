"""The secrets that compose makes, as `delivery/compose/secrets` writes them."""

import json
import subprocess
from urllib.parse import urlsplit

import pytest

from delivery.environments import ROOT


@pytest.fixture
def make(tmp_path):
    """Run the script, and return what lies in each service's volume afterwards."""
    for service in ("database", "migrate", "site"):
        (tmp_path / service).mkdir()

    def run():
        environment = {"MADE": str(tmp_path), "FORMER": str(tmp_path / "former")}
        ended = subprocess.run([ROOT / "delivery/compose/secrets"], env=environment, capture_output=True, text=True)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
        return {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.glob("[!f]*/*")}

    return run


def test_each_user_has_a_password_of_its_own_that_both_sides_know(make):
    made = make()
    assert set(made) == {"database/database-password", "migrate/database-url", "migrate/site-user", "site/site-url"}
    owner, site = urlsplit(made["migrate/database-url"]), urlsplit(made["site/site-url"])
    assert (owner.username, owner.password) == ("colophon", made["database/database-password"])
    assert {"username": site.username, "password": site.password} == json.loads(made["migrate/site-user"])
    assert len({owner.password, site.password}) == 2
    assert min(len(owner.password), len(site.password)) >= 32


def test_it_makes_them_once(make):
    assert make() == make()


def test_one_that_was_cut_short_is_made_anew(make, tmp_path):
    make()
    (tmp_path / "database/database-password").unlink()
    made = make()
    assert urlsplit(made["migrate/database-url"]).password == made["database/database-password"]
    assert urlsplit(made["site/site-url"]).password == json.loads(made["migrate/site-user"])["password"]


def test_the_owner_of_a_former_installation_keeps_its_password(make, tmp_path):
    (tmp_path / "former").mkdir()
    former = "fake-password-of-make-up"
    (tmp_path / "former/database-password").write_text(former)
    made = make()
    assert urlsplit(made["migrate/database-url"]).password == made["database/database-password"] == former


def test_a_folder_that_has_only_the_runner_s_tokens_is_no_former_installation(make, tmp_path):
    (tmp_path / "former").mkdir()
    (tmp_path / "former/runner-branches").write_text("")
    assert len(make()["database/database-password"]) == 32

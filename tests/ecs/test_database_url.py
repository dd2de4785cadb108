"""The site takes what the task definition gives it: an address without a user, whose name and password libpq finds."""

import re

import psycopg
import pytest

from colophon import database, settings
from tests.conftest import postgresql_only
from tests.postgres import PASSWORD


def task_environment(resources, **given):
    (container,) = resources("service", **given)["TaskDefinition"]["ContainerDefinitions"]
    return {one["Name"]: one["Value"] for one in container["Environment"]}, container["Secrets"]


@pytest.fixture
def clean(monkeypatch):
    for name in settings.Settings.__dataclass_fields__:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def known(text):
    known = {"Host": "db.example.org", "Port": "5432", "SiteUrl": "https://books.example.org"}
    return re.sub(r"<import colophon-(?:Database)?(\w+)>", lambda found: known[found[1]], text)


@pytest.mark.parametrize(
    ("bundle", "tls"),
    [("", "sslmode=require"), ("/srv/rds.pem", "sslmode=verify-full&sslrootcert=/srv/rds.pem")],
)
def test_the_site_accepts_its_environment(resources, clean, bundle, tls):
    environment, _ = task_environment(resources, DatabaseCaBundle=bundle)
    for name, value in environment.items():
        clean.setenv(name, known(value))
    loaded = settings.load()
    assert loaded.database_url == f"postgresql://db.example.org:5432/colophon?{tls}"
    assert "books.example.org" in loaded.allowed_hosts
    assert (loaded.https, loaded.trusted_proxies, loaded.host) == (True, 1, "0.0.0.0")


def test_the_parts_of_the_secret_have_the_names_that_libpq_knows(resources):
    _, secrets = task_environment(resources)
    assert {one["Name"]: one["ValueFrom"] for one in secrets} == {
        "PGUSER": "<import colophon-DatabaseSecretArn>:username::",
        "PGPASSWORD": "<import colophon-DatabaseSecretArn>:password::",
    }


@postgresql_only
def test_libpq_finds_user_and_password_by_itself(fresh_url, monkeypatch):
    user, address = re.fullmatch(r"postgresql://([^:]+):.*@([^@]+)", fresh_url).groups()
    monkeypatch.setenv("PGUSER", user)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    engine = database.connect(f"postgresql://{address}")
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT current_user").scalar_one() == user
    engine.dispose()


@postgresql_only
def test_a_password_that_was_rotated_away_is_refused(fresh_url, monkeypatch):
    user, address = re.fullmatch(r"postgresql://([^:]+):.*@([^@]+)", fresh_url).groups()
    monkeypatch.setenv("PGUSER", user)
    monkeypatch.setenv("PGPASSWORD", "the one before")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{address}")

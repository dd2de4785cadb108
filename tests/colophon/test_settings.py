import re
from pathlib import Path

import pytest

from colophon import settings
from colophon.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch):
    for name in Settings.__dataclass_fields__:
        monkeypatch.delenv(name.upper(), raising=False)


def test_nothing_needs_to_be_set():
    assert settings.load() == Settings(allowed_hosts=("localhost", "127.0.0.1", "[::1]", "127.0.0.1"))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PORT", "x", "PORT"),
        ("PORT", "0", "PORT"),
        ("PORT", "70000", "PORT"),
        ("WEB_CONCURRENCY", "0", "WEB_CONCURRENCY"),
        ("WEB_THREADS", "many", "WEB_THREADS"),
        ("TRUSTED_PROXIES", "-1", "TRUSTED_PROXIES"),
        ("MAX_REQUEST_BYTES", "12", "MAX_REQUEST_BYTES"),
        ("HSTS_SUBDOMAINS", "perhaps", "HSTS_SUBDOMAINS"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL"),
        ("SITE_URL", "books.example.org", "SITE_URL"),
        ("SITE_URL", "https://books.example.org/path", "SITE_URL"),
        ("SITE_URL", "http://[", "SITE_URL"),
        ("SITE_URL", "http://a b", "SITE_URL"),
        ("SITE_URL", "http://host:99999", "SITE_URL"),
        ("SITE_URL", "http://user:password@host", "SITE_URL"),
        ("SITE_URL", "http://host#part", "SITE_URL"),
        ("ALLOWED_HOSTS", "[", "ALLOWED_HOSTS"),
        ("ALLOWED_HOSTS", "a/b", "ALLOWED_HOSTS"),
        ("ALLOWED_HOSTS", ".example.org", "ALLOWED_HOSTS"),
        ("SECURITY_CONTACT", "someone@example.org", "SECURITY_CONTACT"),
        ("DATABASE_URL", "sqlite+aiosqlite:///x.db", "DATABASE_URL"),
        ("DATABASE_URL", "sqlite:///x.db?mode=ro", "DATABASE_URL"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS"),
        ("ALLOWED_HOSTS", "a,,b", "ALLOWED_HOSTS"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL"),
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL"),
        ("DATABASE_URL", "sqlite://", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://colophon:s3cret@localhost", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://colophon:s3cret@localhost/", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://colophon:s3cret@localhost:x/colophon", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://colophon:s3cret@localhost:70000/colophon", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://colophon:s3cret@[half/colophon", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://colophon:an@s3cret@localhost/colophon", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql+psycopg2://colophon:s3cret@localhost/colophon", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql+s3cret", "DATABASE_URL"),
        ("DATABASE_SITE_USER", "s3cret", "DATABASE_SITE_USER"),
        ("DATABASE_POOL_SIZE", "0", "DATABASE_POOL_SIZE"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "-1", "DATABASE_STATEMENT_TIMEOUT_MS"),
        ("DATABASE_URL", "sqlite:///:memory:", "DATABASE_URL"),
        ("DATABASE_URL", "sqlite:////tmp", "DATABASE_URL"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(monkeypatch, name, value, complaint):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{complaint}: ") as stopped:
        settings.load()
    assert "s3cret" not in str(stopped.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://colophon:s3cret@db.example.org:5432/colophon",
        "postgres://colophon:s3cret@db.example.org/colophon?sslmode=verify-full",
        "postgresql+psycopg:///colophon",
        "sqlite:///elsewhere.db",
    ],
)
def test_both_databases_are_named_by_their_usual_urls(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    assert settings.load().database_url == url


def test_all_wrong_values_are_named_at_once(monkeypatch):
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"LOG_LEVEL: .* PORT: "):
        settings.load()


def test_a_secret_can_come_from_a_file(monkeypatch, tmp_path):
    secret = tmp_path / "database_url"
    secret.write_text("sqlite:///elsewhere.db\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(secret))
    assert settings.load().database_url == "sqlite:///elsewhere.db"


def test_a_secret_s_file_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match="DATABASE_URL_FILE"):
        settings.load()


def test_a_secret_s_file_that_is_no_text_is_said_to_be(monkeypatch, tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match="not UTF-8 text"):
        settings.load()


def test_a_value_and_its_file_are_one_too_many(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///a.db")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "b"))
    with pytest.raises(SettingsError, match="DATABASE_URL and DATABASE_URL_FILE are both set"):
        settings.load()


def test_a_database_s_password_is_not_shown():
    assert "s3cret" not in repr(Settings(database_url="postgresql://colophon:s3cret@db/colophon"))


@pytest.mark.parametrize(
    "value", ["{}", '["s3cret"]', '{"username": "s3cret"}', '{"username": "", "password": "s3cret"}']
)
def test_a_user_without_a_name_and_a_password_is_refused_unrepeated(monkeypatch, value):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/colophon")
    monkeypatch.setenv("DATABASE_NEXT_USER", value)
    with pytest.raises(SettingsError, match="DATABASE_NEXT_USER: must be JSON") as refused:
        settings.load()
    assert "s3cret" not in str(refused.value)


def test_a_user_of_sqlite_is_refused(monkeypatch):
    monkeypatch.setenv("DATABASE_SITE_USER", '{"username": "site", "password": "s3cret"}')
    with pytest.raises(SettingsError, match="SQLite has no users"):
        settings.load()


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000"), ("192.0.2.7", "http://192.0.2.7:8000")],
)
def test_the_site_s_address_follows_from_where_it_listens(monkeypatch, host, address):
    monkeypatch.setenv("HOST", host)
    assert settings.load().site_url == address


def test_the_site_answers_to_the_host_of_its_address(monkeypatch):
    monkeypatch.setenv("SITE_URL", "https://books.example.org/")
    loaded = settings.load()
    assert "books.example.org" in loaded.allowed_hosts
    assert loaded.https


def test_the_readme_describes_every_setting_with_its_default():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.partition("\n## Settings\n")[2].partition("\n## ")[0]
    described = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", table, re.MULTILINE))
    defaults = {
        name.upper(): ", ".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        for name, field in Settings.__dataclass_fields__.items()
    }
    assert {name: default.replace("`", "") for name, default in described.items()} == defaults

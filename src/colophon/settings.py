"""The settings of the site, read from the environment once, checked and typed.

The defaults are safe on a public server. A wrong value stops the start. Any setting can come from a file,
`NAME_FILE=/run/secrets/name`, which keeps secrets out of the environment.
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, urlsplit

from environs import EnvValidationError, FileAwareEnv
from marshmallow.validate import OneOf, Range
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from werkzeug.sansio.utils import host_is_trusted

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SITE = re.compile(r"https?://[^/?#@\s]+")
_UPSTREAM = re.compile(r"[A-Za-z0-9._-]{1,253}:[0-9]{1,5}")
WILDCARDS = ("0.0.0.0", "::", "[::]")  # noqa: S104 -- recognised, so that no link names one


class SettingsError(ValueError):
    """A setting is wrong. The message is one sentence that names the variable."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. The README documents each; a test compares the two."""

    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str = field(default="sqlite:///var/colophon.db", repr=False)  # may hold a password
    database_site_user: str = field(default="", repr=False)
    database_next_user: str = field(default="", repr=False)
    database_pool_size: int = 10
    database_statement_timeout_ms: int = 5000
    site_url: str = "http://127.0.0.1:8000"
    hsts_subdomains: bool = False
    allowed_hosts: tuple[str, ...] = LOOPBACK
    trusted_proxies: int = 0
    max_request_bytes: int = 1_048_576
    web_concurrency: int = 2
    web_threads: int = 8
    upstream: str = "127.0.0.1:8001"
    edge_connections: int = 5000
    edge_requests_per_second: int = 2000
    writes_per_minute: int = 120
    failed_logins_per_minute: int = 10
    security_contact: str = ""
    log_format: str = "auto"
    log_level: str = "info"

    @property
    def database_users(self) -> list[tuple[str, str]]:
        """The users that `prepare` makes for the site: their names and passwords."""
        given = filter(None, (self.database_site_user, self.database_next_user))
        return [(user["username"], user["password"]) for user in map(json.loads, given)]

    @property
    def bind(self) -> str:
        """The address and port to listen on."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def https(self) -> bool:
        """True where visitors use HTTPS; cookies are then Secure, and HSTS is sent."""
        return self.site_url.startswith("https://")


def load() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError, which names each variable with a wrong value.
    """
    env = FileAwareEnv(eager=False, strip_whitespace=True)
    for name in Settings.__dataclass_fields__:
        variable = name.upper()
        if variable in os.environ and f"{variable}_FILE" in os.environ:
            raise SettingsError(f"{variable} and {variable}_FILE are both set; keep one of them.")
    try:
        host = env.str("HOST", Settings.host)
        port = env.int("PORT", Settings.port, validate=Range(1, 65535, error="Must be from {min} to {max}."))
        default_site = f"http://{_in_url(host)}:{port}"
        site_url = env.str("SITE_URL", default_site).rstrip("/")
        site = _split(site_url)
        settings = Settings(
            host=host,
            port=port,
            database_url=env.str("DATABASE_URL", Settings.database_url),
            database_site_user=env.str("DATABASE_SITE_USER", Settings.database_site_user),
            database_next_user=env.str("DATABASE_NEXT_USER", Settings.database_next_user),
            database_pool_size=env.int("DATABASE_POOL_SIZE", Settings.database_pool_size, validate=Range(1, 256)),
            database_statement_timeout_ms=env.int(
                "DATABASE_STATEMENT_TIMEOUT_MS", Settings.database_statement_timeout_ms, validate=Range(0, 3_600_000)
            ),
            site_url=site_url,
            hsts_subdomains=env.bool("HSTS_SUBDOMAINS", Settings.hsts_subdomains),
            allowed_hosts=tuple(env.list("ALLOWED_HOSTS", [*LOOPBACK, _in_url(site.hostname or "localhost")])),
            trusted_proxies=env.int("TRUSTED_PROXIES", Settings.trusted_proxies, validate=Range(0, 5)),
            max_request_bytes=env.int(
                "MAX_REQUEST_BYTES", Settings.max_request_bytes, validate=Range(1024, 1_073_741_824)
            ),
            web_concurrency=env.int("WEB_CONCURRENCY", Settings.web_concurrency, validate=Range(1, 64)),
            web_threads=env.int("WEB_THREADS", Settings.web_threads, validate=Range(1, 256)),
            upstream=env.str("UPSTREAM", Settings.upstream),
            edge_connections=env.int("EDGE_CONNECTIONS", Settings.edge_connections, validate=Range(0, 1_000_000)),
            edge_requests_per_second=env.int(
                "EDGE_REQUESTS_PER_SECOND", Settings.edge_requests_per_second, validate=Range(0, 1_000_000)
            ),
            writes_per_minute=env.int("WRITES_PER_MINUTE", Settings.writes_per_minute, validate=Range(1, 1_000_000)),
            failed_logins_per_minute=env.int(
                "FAILED_LOGINS_PER_MINUTE", Settings.failed_logins_per_minute, validate=Range(1, 1_000_000)
            ),
            security_contact=env.str("SECURITY_CONTACT", Settings.security_contact),
            log_format=env.str("LOG_FORMAT", Settings.log_format, validate=OneOf(["auto", "console", "json"])),
            log_level=env.str("LOG_LEVEL", Settings.log_level, validate=OneOf(["debug", "info", "warning", "error"])),
        )
        env.seal()
    except EnvValidationError as error:
        messages = cast("dict[str, list[str]]", error.error_messages)  # a list only for a single variable
        wrong = (f"{name}: {' '.join(messages[name])}" for name in sorted(messages))
        raise SettingsError(" ".join(wrong)) from None
    except UnicodeDecodeError:
        raise SettingsError("A file that a NAME_FILE setting names is not UTF-8 text.") from None
    except ValueError as error:  # a NAME_FILE that cannot be read
        raise SettingsError(str(error)) from None
    _refuse_unsafe(settings)
    return settings


def _in_url(host: str) -> str:
    if host in WILDCARDS:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # such as an unclosed bracket
        return urlsplit("")


def _is_host(host: str) -> bool:
    """Return True for the name of a host, with or without a port, as a Host header has it."""
    return host_is_trusted(host)


def _refuse_unsafe(settings: Settings) -> None:
    if not _SITE.fullmatch(settings.site_url) or not _is_host(_split(settings.site_url).netloc):
        raise SettingsError(
            f"SITE_URL: {settings.site_url!r} is not the address of a site, such as https://books.example.org."
        )
    for host in settings.allowed_hosts:
        if not _is_host(host) or host.startswith("."):
            raise SettingsError(f"ALLOWED_HOSTS: {host!r} is not the name of a host; separate names with commas.")
    if settings.security_contact and not settings.security_contact.startswith(("https://", "mailto:")):
        raise SettingsError("SECURITY_CONTACT: must begin with https:// or mailto:.")
    if not _UPSTREAM.fullmatch(settings.upstream):
        raise SettingsError(
            f"UPSTREAM: {settings.upstream!r} is not the host and port of the site, as in 127.0.0.1:8001."
        )
    _check_database(settings.database_url)
    for name in ("DATABASE_SITE_USER", "DATABASE_NEXT_USER"):
        _check_user(name, getattr(settings, name.lower()), settings.database_url)


def _check_user(name: str, value: str, database_url: str) -> None:
    """Raise SettingsError for a user that could not be made; the message repeats nothing of it."""
    if not value:
        return
    if database_url.startswith("sqlite"):
        raise SettingsError(f"{name}: SQLite has no users; leave it out.")
    try:
        known = json.loads(value)
        if not all(isinstance(known[key], str) and known[key] for key in ("username", "password")):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise SettingsError(
            f'{name}: must be JSON with a name and a password, as in {{"username": "site", "password": "..."}}.'
        ) from None


def _check_database(address: str) -> None:
    """Raise SettingsError for a URL of no usable database; the message repeats nothing of it but the scheme."""
    try:
        url = make_url(address)
        if set(url.host or "") & set("[]@"):  # a password that is not escaped
            raise ArgumentError
    except (ArgumentError, ValueError):
        raise SettingsError(
            "DATABASE_URL: not a database URL, such as sqlite:///var/colophon.db or "
            "postgresql://user:password@host:5432/name; in a password, write %40 for @, %3A for : and %2F for /."
        ) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if not url.database:
            raise SettingsError("DATABASE_URL: name the database, as in postgresql://user:password@host:5432/name.")
        if url.port is not None and not 1 <= url.port <= 65535:
            raise SettingsError("DATABASE_URL: the port is not a number from 1 to 65535.")
        return
    if url.drivername != "sqlite":
        raise SettingsError(
            f"DATABASE_URL: {url.drivername} is not supported; use sqlite:///PATH or "
            f"postgresql://user:password@host:5432/name."
        )
    if url.query:
        raise SettingsError("DATABASE_URL: the path of an SQLite database takes no options.")
    if not url.database or url.database == ":memory:":
        raise SettingsError("DATABASE_URL: name a file; in memory, each worker would have a database of its own.")
    if Path(url.database).is_dir():
        raise SettingsError(f"DATABASE_URL: {url.database} is a folder.")

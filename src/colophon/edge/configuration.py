"""The configuration of nginx, and the pages that it sends for its own errors, made from the site's settings."""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.exceptions import HTTPException, ServiceUnavailable, TooManyRequests, default_exceptions

from ..release import passport
from ..settings import SettingsError
from ..web import errors, kept, request_log, state
from ..web.templating import COLOUR_COOKIE, COLOUR_MODES, STATIC, asset
from . import watcher

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask

    from ..settings import Settings

    Headers = list[tuple[str, str]]

# The errors that are the edge's own, each as a page and as a problem for programs.
STATUSES = (400, 408, 413, 414, 429, 431, 500, 503)
FORMS = {"/": "html", "/api": "json"}
READ_SECONDS = 10  # that the site has for its answer
TOLD_SECONDS = 10  # after which nginx keeps nothing, if it was not told the site's state again
LARGE_BODIES = 32  # at the same time, of more than 9,999 bytes each
CONNECTIONS = 16_384  # of one worker process, visitors' and the site's together
# The one folder that every container may write to, Fargate's too, and it is memory.
MEMORY = Path("/dev/shm")  # noqa: S108 -- mkdtemp makes a folder in it that is the edge's alone
# Debian's, in this order: Lua's needs the first. Without the last, assets are sent as compressed with gzip.
MODULES = Path("/usr/lib/nginx/modules")
LUA = ("ndk_http_module.so", "ngx_http_lua_module.so")
BROTLI = "ngx_http_brotli_static_module.so"
# nginx sets these itself, for the file that it sends.
OF_A_FILE = frozenset(
    {"content-type", "content-length", "content-encoding", "etag", "last-modified", "vary", "x-request-id"}
)


class ErrorPage(NamedTuple):
    """A file that nginx sends for an error, and its headers."""

    file: str
    content_type: str
    headers: Headers


def serve(settings: Settings, app: Flask) -> NoReturn:
    """Write nginx's files, and become the process that runs it. Raises SettingsError without nginx."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or not all((MODULES / name).exists() for name in LUA):
        raise SettingsError(
            "The edge is nginx with Lua, which is not installed here (Debian: nginx, libnginx-mod-http-lua). "
            "`serve` needs neither."
        )
    folder = Path(tempfile.mkdtemp(prefix="colophon-edge-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    (folder / "errors").mkdir()
    pages = [_write_error_page(app, status, path, folder / "errors") for status in STATUSES for path in FORMS]
    (folder / "nginx.conf").write_text(render(settings, folder, pages, _asset_headers(app)), encoding="utf-8")
    edge = watcher.Edge(program, str(folder), settings.bind, settings.upstream, kept.HEADER)
    # Without what the app has in memory, and needs no more.
    os.execv(sys.executable, [sys.executable, "-I", "-S", watcher.__file__, *edge])  # noqa: S606 -- no shell, and no input from visitors


def render(settings: Settings, folder: Path, pages: list[ErrorPage], asset_headers: Headers) -> str:
    """Return nginx's configuration, for an edge whose files are in a folder."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = CONNECTIONS if most_files == resource.RLIM_INFINITY else min(CONNECTIONS, most_files // 2)
    template = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 -- nginx reads no HTML
    ).get_template("nginx.conf")
    return template.render(
        folder=folder,
        name=secrets.token_hex(6),
        root=os.geteuid() == 0,
        processes=len(os.sched_getaffinity(0)),
        connections=room,
        modules=[MODULES / name for name in (*LUA, BROTLI) if (MODULES / name).exists()],
        brotli=(MODULES / BROTLI).exists(),
        bind=settings.bind,
        proxies=settings.trusted_proxies,
        max_request_bytes=settings.max_request_bytes,
        read_seconds=READ_SECONDS,
        told_seconds=TOLD_SECONDS,
        large_bodies=LARGE_BODIES,
        connections_per_visitor=settings.edge_connections,
        requests_per_second=settings.edge_requests_per_second,
        static=STATIC.parent,
        asset_headers=asset_headers,
        colour_cookie=COLOUR_COOKIE,
        colour_modes=COLOUR_MODES,
        pages=pages,
    )


def _asset_headers(app: Flask) -> Headers:
    with request_log.unlogged(), app.test_client().get(asset("site.css")) as response:
        return _lasting(response.headers)


def _write_error_page(app: Flask, status: int, path: str, folder: Path) -> ErrorPage:
    with app.test_request_context(path):
        response = app.process_response(errors.respond(_error(status)))
    file = f"{status}.{FORMS[path]}"
    (folder / file).write_bytes(response.get_data())
    release = (passport.HEADER, state.of(app).release.name)
    return ErrorPage(file, response.headers["Content-Type"], [*_lasting(response.headers), release])


def _lasting(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in OF_A_FILE]


def _error(status: int) -> HTTPException:
    if status == 429:
        return TooManyRequests(retry_after=1)
    return ServiceUnavailable(retry_after=errors.RETRY_SECONDS) if status == 503 else default_exceptions[status]()

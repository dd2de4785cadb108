"""The servers that are measured: listening on loopback only, ended when their block ends."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BenchError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
THREADS = 8
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
START_SECONDS = 300  # of one that has not ended: a machine that is slow is measured, too
END_SECONDS = 10

# As many requests as there are on one connection: gunicorn does not make clients reconnect either.
NGINX_CONFIG = """\
daemon off;
worker_processes {cores};
{user}
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type "text/html; charset=utf-8";
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    etag off;
    server {{
        listen {host}:{port} reuseport;
        root {folder}/pages;
        {locations}
    }}
}}
"""
NGINX_SENDS = frozenset({"server", "date", "connection", "content-type", "content-length"})


@dataclass(frozen=True)
class Page:
    """A page as a server sent it."""

    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Tools:
    """Where wrk and nginx are."""

    wrk: str
    nginx: str

    @classmethod
    def find(cls) -> Tools:
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
        wrk, nginx = shutil.which("wrk", path=path), shutil.which("nginx", path=path)
        if wrk and nginx:
            return cls(wrk, nginx)
        missing = " and ".join(name for name, found in (("wrk", wrk), ("nginx", nginx)) if not found)
        raise ToolMissingError(f"{missing} cannot be found; install Debian's packages wrk and nginx.")

    def nginx_version(self) -> str:
        said = subprocess.run([self.nginx, "-v"], capture_output=True, text=True, check=False).stderr
        return said.strip().rpartition(" ")[2]


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    process: subprocess.Popen[bytes]


def environment(database: Path, **settings: str | int | Path) -> dict[str, str]:
    """Return the environment of a program of ours: nothing of the caller's shell that could change what is measured."""
    given = {"DATABASE_URL": f"sqlite:///{database}", "LOG_LEVEL": "warning", "LOG_FORMAT": "json", **settings}
    return _inherited() | {name: str(value) for name, value in given.items()}


@contextmanager
def colophon(database: Path, folder: Path, *options: str, workers: int = CORES) -> Iterator[Server]:
    """Serve the site as it is served to visitors, but for gunicorn's options that are given."""
    port = _free_port()
    env = environment(database, HOST=HOST, PORT=port, WEB_CONCURRENCY=workers, WEB_THREADS=THREADS)
    command = [sys.executable, "-m", "gunicorn", "--config", str(ROOT / "src" / "gunicorn.conf.py"), *options]
    with _running("Colophon", command, port, env, folder) as server:
        yield server


@contextmanager
def make_run(database: Path, folder: Path, workers: int) -> Iterator[Server]:
    """Serve the site as `make run` does, which makes the database when it is not there."""
    port = _free_port()
    env = environment(database, HOST=HOST, PORT=port, WEB_CONCURRENCY=workers, WEB_THREADS=THREADS)
    with _running("Colophon", [sys.executable, "-m", "colophon", "serve"], port, env, folder) as server:
        yield server


@contextmanager
def edge(site: Server, folder: Path, **settings: int) -> Iterator[Server]:
    """Serve as the edge, before the site."""
    port = _free_port()
    env = environment(folder / "none.db", HOST=HOST, PORT=port, UPSTREAM=f"{HOST}:{site.port}", **settings)
    with _running("the edge", [sys.executable, "-m", "colophon", "edge"], port, env, folder) as server:
        yield server


@contextmanager
def django(database: Path, folder: Path) -> Iterator[Server]:
    """Serve django_peer.py, by the same server with the same settings."""
    port = _free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--bind",
        f"{HOST}:{port}",
        "--worker-class",
        "gthread",
        "--workers",
        str(CORES),
        "--threads",
        str(THREADS),
        "--preload",
        "--no-control-socket",
        "--log-level",
        "warning",
        "bench.django_peer:application",
    ]
    with _running("the Django peer", command, port, environment(database, DATABASE_FILE=database), folder) as server:
        yield server


@contextmanager
def nginx(program: str, pages: dict[int, Page], folder: Path) -> Iterator[Server]:
    """Serve each page as a static file with its headers, at the number that it is kept under."""
    port = _free_port()
    (folder / "pages").mkdir()
    for name, page in pages.items():
        (folder / "pages" / str(name)).write_bytes(page.body)
    config = folder / "nginx.conf"
    written = NGINX_CONFIG.format(
        folder=folder,
        host=HOST,
        port=port,
        cores=CORES,
        # Started by root, nginx would serve as a user who cannot read the folder; started by anyone else, it warns.
        user="user root;" if os.geteuid() == 0 else "",
        locations="\n".join(f"location = /{name} {{ {_headers(page)} }}" for name, page in pages.items()),
    )
    config.write_text(written, encoding="utf-8")
    command = [program, "-e", "stderr", "-p", str(folder), "-c", str(config)]
    with _running("nginx", command, port, _inherited(), folder) as server:
        yield server


def _headers(page: Page) -> str:
    """Return nginx's directives for the headers that it does not send by itself."""
    escaped = ((name, value.replace('"', '\\"')) for name, value in page.headers if name.lower() not in NGINX_SENDS)
    return " ".join(f'add_header {name} "{value}";' for name, value in escaped)


@contextmanager
def _running(name: str, command: list[str], port: int, env: dict[str, str], folder: Path) -> Iterator[Server]:
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        # In a process group of its own, Ctrl-C reaches it through us only, once, after the load has ended.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
    try:
        _wait_for(name, process, port, log)
        yield Server(name, port, process)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def _wait_for(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return once the server answers. Raises BenchError when it ends, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(HOST, port, timeout=1)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    how = f"took more than {START_SECONDS} s to start" if process.poll() is None else "ended at once"
    said = log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
    raise BenchError(f"{name} {how}; it said: {said or 'nothing'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port

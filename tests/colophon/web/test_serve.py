"""The site as a visitor meets it: behind its real server, started and ended as people do."""

import http.client
import json
import os
import runpy
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import releases
from tests.conftest import SETTING_NAMES, Server
from tests.waiting import LONGEST

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def get(site, path, timeout=10, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def test_it_says_where_it_is_and_answers_there(site):
    assert f"Colophon is at {site.url}" in site.log.read_text()
    status, _, html = get(site, "/books?q=moby")
    assert status == 200
    assert "Moby-Dick" in html


def test_a_release_shows_its_passport(released_site):
    status, headers, body = get(released_site, "/release.json")
    assert (status, json.loads(body)) == (200, releases.RELEASED)
    assert headers["Colophon-Release"] == releases.COMMIT
    assert "release 5f0c2d1" in get(released_site, "/colophon")[2]


def test_a_server_without_the_command_line_refuses_a_damaged_passport_in_one_sentence(tmp_path):
    source = releases.lay_out(tmp_path)
    (source / "release.json").write_text('{"state": "released"}')
    run = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", source / "gunicorn.conf.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    assert run.returncode == 1
    assert "Error: The release's passport does not match its schema" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_workers_told_to_stop_while_they_start_do_so(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text(
        f"exec(open({str(ROOT / 'src/gunicorn.conf.py')!r}).read())\n"
        "import time\n"
        "told = post_fork\n"
        "def post_fork(server, worker):\n"
        "    os.kill(server.pid, signal.SIGINT)\n"
        "    time.sleep(1)\n"
        "    told(server, worker)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    run = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "PORT": port},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    assert run.returncode == 0
    assert "Booting worker" in run.stdout + run.stderr
    assert "SIGKILL" not in run.stdout + run.stderr


def test_a_very_long_search_gets_the_site_s_own_error_page(site):
    status, _, html = get(site, "/books?q=" + "x" * 10_000)
    assert status == 400
    assert "<code>q</code>" in html


def test_an_endless_address_is_refused_by_the_server(site):
    assert get(site, "/books?q=" + "x" * 100_000)[0] == 414


def test_every_line_of_its_log_is_json(site):
    get(site, "/about")
    for line in site.log.read_text().splitlines():
        assert json.loads(line)["event"]


def test_a_visitor_who_comes_back_gets_no_page_twice(site):
    _, headers, _ = get(site, "/books")
    assert get(site, "/books", **{"If-None-Match": headers["ETag"]})[0] == 304


def test_where_there_is_a_worker_for_each_core_it_stays_there(linux, site):
    ours = os.sched_getaffinity(0)
    cores = [os.sched_getaffinity(worker) for worker in site.workers()]
    assert {len(own) for own in cores} == {1 if len(ours) <= len(cores) else len(ours)}
    assert set.union(*cores) == ours


def test_a_new_worker_has_the_core_of_the_one_that_is_gone(linux, monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "64")
    configuration = runpy.run_path(str(ROOT / "src/gunicorn.conf.py"))
    arbiter = SimpleNamespace(WORKERS={})

    def start(number):
        worker = SimpleNamespace()
        configuration["pre_fork"](arbiter, worker)
        arbiter.WORKERS[number] = worker
        return worker.core

    cores = [start(number) for number in range(len(configuration["cores"]))]
    assert sorted(cores) == configuration["cores"]
    del arbiter.WORKERS[len(cores) - 1]
    assert start(len(cores)) == cores[-1]


def test_no_disk_is_waited_for_to_know_whether_a_worker_lives(linux, site):
    opened = []
    for file in Path(f"/proc/{site.workers()[0]}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed meanwhile
            opened.append(file.readlink())
    (told_by,) = (path for path in opened if "wgunicorn" in path.name)
    assert told_by.parent.name == "shm"


HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost:"
HALF_A_BODY = b"POST /preferences HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nx"
LARGE = HALF_A_BODY.replace(b"50", b"50000") + b"x" * 40_000
REST = {
    b"": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    HALF_A_HEAD: b" localhost\r\n\r\n",
    HALF_A_BODY: b"x" * 49,
    LARGE: b"x" * 9_999,
}


@pytest.mark.parametrize("start", REST, ids=["nothing", "half a head", "half a body", "much of a large body"])
def test_a_visitor_who_goes_on_after_a_pause_is_answered(site, start):
    with socket.create_connection(("127.0.0.1", site.port), timeout=LONGEST) as connection:
        connection.sendall(start)
        assert get(site, "/healthz")[0] == 200
        connection.sendall(REST[start])
        assert connection.recv(9) == b"HTTP/1.1 "


def test_a_body_too_large_to_wait_for_has_a_deadline(site):
    head = b"POST /preferences HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=LONGEST) as connection:
        connection.sendall(head + b"Content-Length: 60000\r\n\r\n" + b"x" * 40_000)
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert "Traceback" not in site.log.read_text()


def test_a_body_of_unknown_length_is_refused(site):
    connection = socket.create_connection(("127.0.0.1", site.port))
    connection.sendall(
        b"POST /preferences HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n"
    )
    answer = connection.makefile("rb").read()
    connection.close()
    assert answer.startswith(b"HTTP/1.1 411 ")


@pytest.mark.parametrize(
    "header", [{"X-Forwarded-Proto": "https"}, {"SCRIPT_NAME": "/elsewhere"}, {"X-Forwarded-Ssl": "on"}]
)
def test_no_proxy_is_believed_unless_told(site, header):
    status, headers, _ = get(site, "/books//emma", **header)
    assert status == 308
    assert headers["Location"] == f"{site.url}/books/emma"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_told(tmp_path, signal_number):
    server = Server(tmp_path)
    assert server.stop(signal_number) == 0
    log = server.log.read_text()
    assert "Traceback" not in log
    assert not (tmp_path / "var/colophon.db-wal").exists(), "the database was left open"


def test_a_site_that_just_started_had_no_visit_yet(tmp_path):
    server = Server(tmp_path)
    server.stop()
    assert '"request"' not in server.log.read_text()


def test_it_starts_without_its_database_and_says_so_on_standard_output_alone(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        site = SimpleNamespace(port=probe.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", ROOT / "src/gunicorn.conf.py"],
        cwd=tmp_path,
        env=environment | {"PORT": str(site.port), "DATABASE_URL": "sqlite:///nowhere/colophon.db"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        said = [*takewhile(lambda line: "Colophon is at" not in line, server.stdout)]
        try:
            answers = [get(site, path)[0] for path in ("/healthz", "/readyz")]
        finally:
            server.terminate()
        _, errors = server.communicate(timeout=LONGEST)
    assert "the warm-up stopped at /readyz" in said[-1]
    assert answers == [200, 503]
    assert (server.returncode, errors) == (0, "")


def test_it_starts_again_with_the_books_that_it_had(tmp_path):
    Server(tmp_path).stop()
    again = Server(tmp_path)
    log = again.log.read_text()
    again.stop()
    assert "loaded" not in log


def make(*arguments, **environment):
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_make_alone_prints_the_menu():
    menu = make().stdout
    for line in ("run", "test", "check", "assets", "bench"):
        assert f"make {line} " in menu


def test_every_line_of_the_menu_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for line in make().stdout.splitlines():
        assert f"`{' '.join(line.split()[:2])}`" in readme


def test_a_python_that_is_too_old_is_said_to_be(tmp_path):
    old = tmp_path / "python"
    old.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "import sys; sys.version_info = (3, 9); $5"\n')
    old.chmod(0o755)
    result = make("setup", f"PYTHON={old}")
    assert result.returncode != 0
    assert result.stderr.startswith("Colophon needs Python 3.11 or newer, and ")

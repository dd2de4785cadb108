"""`make dev`: a change shows at once, an error opens the debugger, and this machine alone reaches it."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from tests.conftest import SETTING_NAMES
from tests.repository.checkout import ROOT
from tests.waiting import LONGEST, until

pytestmark = pytest.mark.slow

SETTINGS = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
HOME = "src/colophon/templates/pages/home.html"  # a page that is kept in memory, where it is not worked on


class Copy:
    """A copy of the site's sources, which a contributor works on, and the server that `make dev` starts of it."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Makefile", folder)
        (folder / ".venv").symlink_to(sys.prefix)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.log = folder / "dev.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["make", "dev", "SETUP=true"],
                cwd=folder,
                env=SETTINGS | {"PORT": str(self.port), "PYTHONPATH": str(folder / "src")},
                stdout=log,
                stderr=log,
                process_group=0,
            )
        if not until(lambda: self.get("/readyz")[0] == 200, alive=lambda: self.process.poll() is None):
            self.stop()
            raise AssertionError(self.log.read_text())

    def get(self, path):
        """Return the status and the body of an answer; 0 and nothing while the server reloads."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def change(self, name, old, new):
        path = self.folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    def stop(self):
        """Press Ctrl-C, and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(LONGEST)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    copy = Copy(tmp_path_factory.mktemp("copy"))
    yield copy
    if copy.process.poll() is None:
        copy.stop()


def test_it_serves_the_books_of_a_database_of_its_own(copy):
    assert "Moby-Dick" in copy.get("/books?q=moby")[1]
    assert (copy.folder / "var/colophon.db").exists()


def test_it_serves_the_assets(copy):
    _, page = copy.get("/")
    sheet = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    status, style = copy.get(sheet)
    assert status == 200
    assert "--bs-" in style


def test_a_changed_template_shows_on_the_next_request(copy):
    assert "A new paragraph" not in copy.get("/")[1]
    copy.change(HOME, "{% block content %}", "{% block content %}<p>A new paragraph</p>")
    assert "A new paragraph" in copy.get("/")[1]


def test_a_changed_module_is_loaded_again(copy):
    copy.change("src/colophon/web/templating.py", 'SITE_NAME = "Colophon"', 'SITE_NAME = "Another name"')
    assert until(lambda: "Another name" in copy.get("/")[1])


def test_an_error_opens_the_debugger(copy):
    copy.change(HOME, "{% block content %}", "{% block content %}{{ 1 // 0 }}")
    status, page = copy.get("/")
    copy.change(HOME, "{{ 1 // 0 }}", "")
    assert status == 500
    assert "<title>ZeroDivisionError" in page
    assert "// Werkzeug Debugger" in page
    assert copy.get("/")[0] == 200


def test_ctrl_c_ends_it_without_a_word(copy):
    copy.get("/healthz")
    copy.stop()
    assert '"GET /healthz HTTP/1.1" 200 -' in copy.log.read_text().splitlines()[-1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "books.example.org"])
def test_it_refuses_to_be_reached_from_elsewhere(tmp_path, host):
    shutil.copy(ROOT / "Makefile", tmp_path)
    refused = subprocess.run(
        ["make", "dev", "SETUP=true"], cwd=tmp_path, env=SETTINGS | {"HOST": host}, capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[0] == (
        "make dev serves this machine alone, for its debugger runs code: HOST is 127.0.0.1, ::1 or localhost, "
        f"not {host}."
    )


@pytest.mark.parametrize(
    ("variables", "host", "port"),
    [
        ({}, "127.0.0.1", "8000"),
        ({"HOST": "::1", "PORT": "9000"}, "::1", "9000"),
        ({"HOST": "localhost"}, "localhost", "8000"),
    ],
)
def test_it_listens_where_it_is_told_on_this_machine(tmp_path, variables, host, port):
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "dev", "SETUP=true"], cwd=tmp_path, env=SETTINGS | variables, capture_output=True, text=True
    )
    assert f"flask --app colophon run --debug --host {host} --port {port} " in done.stdout

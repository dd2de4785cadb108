"""`docker compose --profile https up --wait`: certificates of pebble, Let's Encrypt's own server for tests."""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.image.composed import Compose
from tests.image.containers import docker, free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
HOST = "books.example.org"
CHECK = "site-url-is-https"
PEBBLE = f"colophon-test-pebble:{uuid.uuid4().hex[:8]}"
ROOT_CERTIFICATE = """
import ssl, urllib.request
trusted = ssl.create_default_context(cafile="/ca/cert.pem")
print(urllib.request.urlopen("https://localhost:15000/roots/0", context=trusted).read().decode())
"""
# Another visitor, with an address of its own.
FROM_ELSEWHERE = f"""
import http.client, ssl
connection = http.client.HTTPSConnection("{HOST}", context=ssl._create_unverified_context())
connection.request("GET", "/api/v1/books", headers={{"Authorization": "Bearer fake"}})
print(connection.getresponse().status)
"""


class Visitor:
    """A visitor who trusts the authority behind pebble alone."""

    def __init__(self, port, root):
        self.port, self.trusted = port, ssl.create_default_context(cafile=root)
        self.trusted.set_alpn_protocols(["h2", "http/1.1"])

    def connect(self):
        return self.trusted.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10), server_hostname=HOST)

    def get(self, path, **headers):
        """Return the response to a request of HTTP/1.1, and the serial number of the certificate."""
        self.trusted.set_alpn_protocols(["http/1.1"])
        connection = http.client.HTTPConnection(HOST)
        connection.sock = self.connect()
        serial = connection.sock.getpeercert()["serialNumber"]
        connection.request("GET", path, headers={"Host": HOST} | headers)
        response = connection.getresponse()
        response.body = response.read()
        connection.close()
        return response, serial


@pytest.fixture(scope="module")
def compose(described, tmp_path_factory):
    folder = tmp_path_factory.mktemp("https") / "clone"
    subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)
    base = (
        os.environ.get("BASE") or re.search(r"^ARG BASE=(.+)", (ROOT / "src/Dockerfile").read_text(), re.MULTILINE)[1]
    )
    project = Compose(
        folder,
        COLOPHON_IMAGE=described["image"],
        COMPOSE_FILE="docker-compose.yml:tests/image/pebble/compose.yml",
        COMPOSE_PROFILES="https",
        SITE_URL=f"https://{HOST}",
        ACME_DIRECTORY="https://pebble:14000/dir",
        ACME_RENEW_INTERVAL="1s",
        HTTP=str(free_port()),
        HTTPS=str(free_port()),
        PEBBLE_IMAGE=PEBBLE,
    )
    docker("build", f"--build-arg=BASE={base}", f"--tag={PEBBLE}", str(folder / "tests/image/pebble"))
    try:
        project("up", "--wait", "--no-build")
        yield project
    finally:
        project.down()
        docker("image", "rm", PEBBLE)


@pytest.fixture
def visitor(compose, tmp_path):
    (tmp_path / "root.pem").write_text(compose("exec", "-T", "pebble", "python3", "-c", ROOT_CERTIFICATE))
    return Visitor(int(compose.environment["HTTPS"]), tmp_path / "root.pem")


def test_it_brings_the_site_up_with_a_certificate_that_holds(visitor):
    response, _ = visitor.get("/")
    assert response.status == 200
    assert b"A catalogue of 515 books" in response.body
    assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_it_speaks_http_2(visitor):
    with visitor.connect() as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_a_visitor_without_https_is_sent_to_it(compose):
    connection = http.client.HTTPConnection("127.0.0.1", int(compose.environment["HTTP"]))
    connection.request("GET", "/books?q=sea", headers={"Host": HOST})
    response = connection.getresponse()
    assert (response.status, response.headers["Location"]) == (308, f"https://{HOST}/books?q=sea")


def test_a_visitor_has_one_address_whatever_it_claims_and_another_visitor_another(compose, visitor):
    def guess(n):
        claimed = {"X-Forwarded-For": f"203.0.113.{n}", "Authorization": "Bearer fake"}
        return visitor.get("/api/v1/books", **claimed)[0].status

    assert [guess(n) for n in range(11)] == [401] * 10 + [429]
    assert compose("exec", "-T", "pebble", "python3", "-c", FROM_ELSEWHERE) == "401"


def test_its_containers_are_hardened_too(compose):
    compose.check_hardening("caddy", "0:0", "NET_BIND_SERVICE", megabytes=1024)
    compose.check_hardening("edge-https", "10001:10001")


def test_the_edge_that_believes_caddy_is_reached_through_it_alone(compose):
    assert json.loads(compose.inspect("edge-https", "{{json .HostConfig.PortBindings}}")) == {}
    networks = json.loads(compose.inspect("edge-https", "{{json .NetworkSettings.Networks}}"))
    assert {docker("network", "inspect", "--format", "{{.Internal}}", name) for name in networks} == {"true"}


def test_a_certificate_is_renewed_and_no_request_fails_meanwhile(visitor):
    _, first = visitor.get("/about")
    statuses = set()

    def renewed():
        response, serial = visitor.get("/about")
        statuses.add(response.status)
        return serial != first

    assert until(renewed)
    assert statuses == {200}


def test_the_certificates_outlive_the_container(compose, visitor):
    compose("up", "--wait", "--no-build", "--force-recreate", "--no-deps", "caddy")
    assert visitor.get("/about")[0].status == 200
    assert "certificate obtained successfully" not in compose("logs", "caddy")


@pytest.mark.parametrize("address", ["http://books.example.org", "https://", "https://books.example.org:8443"])
def test_an_address_that_no_certificate_is_for_is_named(compose, address):
    once = ("up", "--no-build", "--no-deps", "--exit-code-from", CHECK, CHECK)
    ended = compose.run(*once, SITE_URL=address)
    assert ended.returncode == 1
    assert f"needs https:// and a host in SITE_URL, as in https://{HOST}, not {address}." in ended.stderr

"""`docker compose up --wait`: the site with PostgreSQL and the edge, in containers of one machine."""

import json
import os
import subprocess

import pytest

from tests.image.composed import Compose
from tests.image.containers import docker, fetch, probe

ONE_SHOT = ("secrets", "migrate")
USERS = {
    "edge": "10001:10001",
    "site": "10001:10001",
    "migrate": "10001:10001",
    "database": "postgres",
    "secrets": "0:0",
}
MAY = {"secrets": ["DAC_READ_SEARCH"]}
OWNER = "/run/secrets/database-password"


@pytest.fixture(scope="module")
def compose(described, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose") / "clone"
    subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)
    project = Compose(folder, COLOPHON_IMAGE=described["image"])
    try:
        project("up", "--wait", "--no-build")
        yield project
    finally:
        project.down()


def test_it_brings_the_site_up_with_its_books(compose):
    status, _, body = fetch(compose.url)
    assert status == 200
    assert b"A catalogue of 515 books" in body
    assert json.loads(fetch(f"{compose.url}/readyz")[2])["status"] == "ready"


def test_it_is_the_image_that_was_named_which_no_build_replaces(compose, described):
    assert compose.inspect("site", "{{.Config.Image}}") == described["image"]
    assert json.loads(fetch(f"{compose.url}/release.json")[2])["state"] == "released"
    ended = compose.run("up", "--wait")
    assert ended.returncode != 0
    assert "COLOPHON_IMAGE is set, and nothing is built into it; add --no-build" in ended.stderr
    assert docker("image", "inspect", "--format", "{{.Id}}", described["image"]) == described["id"]


def query(compose, statement):
    """Return what the database answers its owner."""
    psql = ("psql", "--username=colophon", "--no-align", "--tuples-only", "--command", statement)
    return compose("exec", "-T", "database", "sh", "-c", f'PGPASSWORD=$(cat {OWNER}) "$@"', "sh", *psql)


def test_the_site_is_not_the_owner_of_the_database(compose):
    statement = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'colophon'"
    assert query(compose, statement) == "site"


def test_the_books_are_in_postgresql_17(compose):
    assert query(compose, "SELECT count(*) FROM books") == "515"
    assert " 17." in compose("exec", "database", "postgres", "--version")


@pytest.mark.parametrize("service", ONE_SHOT)
def test_what_runs_once_is_done_before_the_site_starts(compose, service):
    assert compose.inspect(service, "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}") == "exited 0 0"
    assert compose.inspect(service, "{{.State.FinishedAt}}") <= compose.inspect("site", "{{.State.StartedAt}}")


def test_a_service_has_the_secrets_that_it_reads_and_no_others(compose):
    has = {
        each: compose("exec", "-T", each, "sh", "-c", "ls /run/secrets || true")
        for each in ("site", "database", "edge")
    }
    assert has == {"site": "site-url", "database": "database-password", "edge": ""}
    assert [mount["Name"] for mount in json.loads(compose.inspect("migrate", "{{json .Mounts}}"))] == [
        f"{compose.name}_migrate-secrets"
    ]


def test_no_secret_is_in_an_environment_or_a_log(compose):
    owner = compose("exec", "-T", "database", "cat", OWNER)
    site = compose("exec", "-T", "site", "cat", "/run/secrets/site-url").split(":")[2].partition("@")[0]
    told = compose("logs") + "".join(compose.inspect(service, "{{json .Config}}") for service in USERS)
    for password in (owner, site):
        assert len(password) >= 32
        assert password not in told


@pytest.mark.parametrize("service", USERS)
def test_every_container_is_hardened_limited_and_its_log_rotated(compose, service):
    compose.check_hardening(service, USERS[service], *MAY.get(service, ()))
    restart = compose.inspect(service, "{{.HostConfig.RestartPolicy.Name}}")
    assert restart == ("no" if service in ONE_SHOT else "unless-stopped")


def test_only_this_machine_reaches_the_edge_alone_the_edge_the_site_and_the_site_the_database(compose):
    published = {
        service: json.loads(compose.inspect(service, "{{json .HostConfig.PortBindings}}")) for service in USERS
    }
    assert published.pop("edge") == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(compose.port)}]}
    assert not any(published.values())
    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"
    for service, address, found in (
        ("edge", ("site", "8001"), True),
        ("edge", ("database", "5432"), False),
        ("site", ("database", "5432"), True),
        ("site", ("edge", "8000"), True),
    ):
        ended = compose.run("exec", "-T", service, "python3", "-c", reach, *address)
        assert (ended.returncode == 0) == found, (service, address, ended.stderr)
    for service in ("site", "database"):
        networks = json.loads(compose.inspect(service, "{{json .NetworkSettings.Networks}}"))
        assert {docker("network", "inspect", "--format", "{{.Internal}}", name) for name in networks} == {"true"}


def test_a_visitor_of_the_edge_does_not_choose_the_address_that_is_counted(compose):
    url, token = f"{compose.url}/api/v1/books", {"Authorization": "Bearer fake"}
    statuses = [fetch(url, **token, **{"X-Forwarded-For": f"203.0.113.{n}"})[0] for n in range(11)]
    assert statuses == [401] * 10 + [429]


def test_the_database_s_health_check_tells_a_server_that_answers_from_one_that_does_not(compose):
    database = compose("ps", "--quiet", "database")
    check = json.loads(docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", database))
    assert probe(database, check) == 0
    docker("kill", "--signal=STOP", database)
    try:
        assert probe(database, check) != 0
    finally:
        docker("kill", "--signal=CONT", database)


def test_what_was_written_outlives_the_containers(compose):
    again = (
        'python3 -m colophon books export | head -n 5 | sed \'s/"isbn13": "[0-9]*"/"isbn13": null/\''
        " | python3 -m colophon books import --format jsonl -"
    )
    compose("exec", "-T", "site", "sh", "-c", again)
    compose("down")
    compose("up", "--wait", "--no-build")
    assert b"A catalogue of 520 books" in fetch(compose.url)[2]


def test_the_edge_and_the_site_end_in_order(compose):
    compose("stop", "edge", "site")
    ended = {each: compose.inspect(each, "{{.State.ExitCode}} {{.State.OOMKilled}}") for each in ("edge", "site")}
    compose("start", "edge", "site")
    assert ended == {"edge": "0 false", "site": "0 false"}


@pytest.fixture(scope="module")
def fresh(engine, tmp_path_factory):
    """A clone in which nothing was made, and its project."""
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)
    project = Compose(folder)
    try:
        yield project
    finally:
        project.down()


def test_a_fresh_clone_needs_no_other_command(fresh):
    fresh("up", "--wait")
    assert b"A catalogue of 515 books" in fetch(fresh.url)[2]
    assert json.loads(fetch(f"{fresh.url}/release.json")[2])["state"] == "working-copy"
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--ignored"], cwd=fresh.folder, capture_output=True, text=True
    )
    assert changed.stdout == ""


def test_a_change_of_the_working_copy_is_built_by_the_same_command(fresh):
    before = fresh.inspect("site", "{{.Image}}")
    with (fresh.folder / "src/colophon/__init__.py").open("a") as source:
        source.write("# changed\n")
    fresh("up", "--wait")
    assert fresh.inspect("site", "{{.Image}}") != before


def test_an_installation_with_the_passwords_that_make_made_goes_on_with_them(fresh):
    password = fresh("exec", "-T", "database", "cat", OWNER)
    fresh("down")
    docker("volume", "rm", *(f"{fresh.name}_{each}-secrets" for each in ("database", "migrate", "site")))
    former = fresh.folder / "var/secrets"
    former.mkdir(parents=True)
    (former / "database-password").write_text(password)
    # As `make up` left them: of the checkout's user, in a closed folder.
    former.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(former, 12345, 12345)
    without = ["docker", "run", "--rm", "--user=0:0", "--cap-drop=ALL", f"--volume={fresh.folder}:/checkout:ro"]
    script = [f"colophon:working-copy-{fresh.name}", "/checkout/delivery/compose/secrets"]
    ended = subprocess.run([*without, *script], capture_output=True, text=True)
    assert ended.returncode != 0
    assert "Permission denied" in ended.stderr
    fresh("up", "--wait")
    assert b"A catalogue of 515 books" in fetch(fresh.url)[2]
    assert fresh("exec", "-T", "database", "cat", OWNER) == password

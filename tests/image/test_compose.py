"""`make up`: the site with PostgreSQL, in containers of one machine."""

import json
import os
import shutil
import subprocess
import uuid

import pytest

from tests.image.containers import docker, fetch, free_port, probe

SERVICES = ("site", "migrate", "database")


class Compose:
    """The compose file of a clone, as a project of its own."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        project = f"colophon-test-{uuid.uuid4().hex[:8]}"
        self.environment = os.environ | {"COMPOSE_PROJECT_NAME": project, "PORT": str(self.port)}

    def run(self, *command, check=True):
        ended = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert not check or ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def __call__(self, *arguments):
        return self.run("docker", "compose", *arguments).stdout.strip()

    def inspect(self, service, form):
        return docker("inspect", "--format", form, self("ps", "--all", "--quiet", service))


@pytest.fixture(scope="module")
def compose(image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose") / "clone"
    subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)
    # What `make build` leaves beside its image.
    (folder / "build").mkdir()
    shutil.copy("build/image.json", folder / "build")
    project = Compose(folder)
    try:
        project.run("make", "up")
        yield project
    finally:
        project("down", "--volumes", "--timeout=5")


def test_one_command_brings_the_site_up_with_its_books(compose):
    status, _, body = fetch(compose.url)
    assert status == 200
    assert b"A catalogue of 515 books" in body
    assert json.loads(fetch(f"{compose.url}/readyz")[2])["status"] == "ready"


def test_it_is_the_image_that_was_built(compose, described):
    assert compose.inspect("site", "{{.Config.Image}}") == described["image"]
    assert json.loads(fetch(f"{compose.url}/release.json")[2])["state"] == "released"


def query(compose, statement):
    """Return what the database answers its owner."""
    psql = ("psql", "--username=colophon", "--no-align", "--tuples-only", "--command", statement)
    return compose("exec", "database", "sh", "-c", 'PGPASSWORD=$(cat /run/secrets/database-password) "$@"', "sh", *psql)


def test_the_site_is_not_the_owner_of_the_database(compose):
    statement = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'colophon'"
    assert query(compose, statement) == "site"


def test_the_books_are_in_postgresql_17(compose):
    assert query(compose, "SELECT count(*) FROM books") == "515"
    assert " 17." in compose("exec", "database", "postgres", "--version")


def test_it_is_migrated_once_before_the_site_starts(compose):
    assert compose.inspect("migrate", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}") == "exited 0 0"
    assert compose.inspect("migrate", "{{.State.FinishedAt}}") <= compose.inspect("site", "{{.State.StartedAt}}")


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_in_the_environment(compose, service):
    config, logs = compose.inspect(service, "{{json .Config}}"), compose("logs")
    site = json.loads((compose.folder / "var/secrets/site-user").read_text())["password"]
    for password in ((compose.folder / "var/secrets/database-password").read_text(), site):
        assert len(password) >= 32
        assert password not in config + logs


def test_the_folder_of_the_secrets_is_closed(compose):
    assert (compose.folder / "var/secrets").stat().st_mode & 0o777 == 0o700
    assert "var/" in (compose.folder / ".gitignore").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_hardened_limited_and_its_log_rotated(compose, service):
    config = json.loads(compose.inspect(service, "{{json .HostConfig}}"))
    assert config["ReadonlyRootfs"]
    assert config["CapDrop"] == ["ALL"]
    assert not config["CapAdd"]
    assert config["SecurityOpt"] == ["no-new-privileges:true"]
    assert 0 < config["Memory"] <= 512 * 2**20
    assert config["NanoCpus"] > 0
    assert 0 < config["PidsLimit"] <= 256
    assert config["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert config["RestartPolicy"]["Name"] == ("no" if service == "migrate" else "unless-stopped")
    user = compose.inspect(service, "{{.Config.User}}")
    assert user in ("10001:10001", "postgres")


def test_only_this_machine_reaches_the_site_and_nobody_the_database(compose):
    published = json.loads(compose.inspect("site", "{{json .HostConfig.PortBindings}}"))
    assert [port["HostIp"] for port in published["8000/tcp"]] == ["127.0.0.1"]
    assert json.loads(compose.inspect("database", "{{json .HostConfig.PortBindings}}")) == {}
    networks = json.loads(compose.inspect("database", "{{json .NetworkSettings.Networks}}"))
    assert [docker("network", "inspect", "--format", "{{.Internal}}", name) for name in networks] == ["true"]


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
    compose.run("make", "down")
    compose.run("make", "up")
    assert b"A catalogue of 520 books" in fetch(compose.url)[2]


def test_the_site_ends_in_order(compose):
    compose("stop", "site")
    try:
        assert compose.inspect("site", "{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false"
    finally:
        compose("start", "site")


def test_without_its_secrets_compose_names_the_file_that_is_missing(compose, clone):
    project = Compose(clone)
    ended = project.run("docker", "compose", "up", "--wait", check=False)
    # It made networks before it looked, and an engine has room for no more than thirty.
    project("down", "--volumes")
    assert ended.returncode != 0
    assert "var/secrets/" in ended.stderr

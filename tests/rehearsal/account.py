"""The account that scenes are played on: an engine, images, the emulator, a database and the stacks; and their end."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulator import ACCOUNT, REGION, Emulator, Visitors, docker, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
GITLAB, PROJECT = "https://gitlab.example.org", "group/colophon"
DOMAIN = "books.example.org"
OWNER = "colophon/database-owner"
RESTORED = "restored-"  # as tests/emulator/stacks.py has it, whose libraries are not here
BUCKET = f"colophon-receipts-{ACCOUNT}-{REGION}"
# The waits that suit AWS itself are too long for an emulator that is ten times faster.
PACE = {"DELIVERY_POLL": "0.5", "DELIVERY_VISIT": "0.1"}
PAGES = ("/", "/books", "/books?q=moby", "/colophon")
VISITS = 25.0  # requests per second, all visitors together
BASE = r"BASE=(\S+)"
DATABASE = """
umask 077; echo "$PAIR" >/tmp/tls; printf %s "$PASSWORD" >/tmp/password
exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tmp/tls -c ssl_key_file=/tmp/tls
"""

SET_OWNER = """
new=$(cat); export PGPASSWORD=$(cat /tmp/password)
echo "ALTER ROLE colophon PASSWORD :'new'" | psql --username=colophon --quiet --set=ON_ERROR_STOP=1 --set="new=$new"
printf %s "$new" >/tmp/password
"""


class SetupError(Exception):
    """The rehearsal cannot be played here. The message says why, and what would help."""


@dataclass(frozen=True)
class Account:
    """The account on the emulator. `url` is the site's address, `images` the variables that name base images.

    `sources` is the clone whose stacks these are, `choices` are those of the stacks' parameters, `logs` the folder for
    the commands' output, `database` the container that stands for RDS's instance.
    """

    aws: Emulator
    url: str
    images: Mapping[str, str]
    sources: Path
    choices: tuple[str, ...]
    logs: Path
    database: str = ""

    def set_owner(self, password: str) -> None:
        """Give the database's owner a password, as RDS does."""
        docker(f"exec --interactive {self.database} sh -ec", SET_OWNER, feed=password)

    def variables(self) -> dict[str, str]:
        """Return the variables that a command needs to reach the emulator, and no others; no credentials."""
        return {**self.aws.variables, "DOCKER_BUILDKIT": "1", **self.images, **PACE}

    def role(self, name: str) -> str:
        """Return the ARN of a role of the pipeline: `push` or `deploy`."""
        return f"arn:{self.aws.partition}:iam::{self.aws.account}:role/colophon-{name}-{self.aws.region}"

    def visitors(self) -> Visitors:
        """Return visitors of the site, who note which release answered them."""
        release = lambda headers, _: headers.get("colophon-release", "no release")  # noqa: E731
        return Visitors(self.url, rate=VISITS, seconds=1800, paths=PAGES, identify=release)

    def make_stack(self, name: str, *choices: str) -> None:
        """Make a stack of ecs/, or change it, with the rights of the account's root. Raises SetupError."""
        _make_stack(self.aws, self.sources, name, (*self.choices, *choices), self.logs)

    def as_ec2(self, role: str) -> dict[str, Any]:
        """Return a role's credentials as an instance with it has them; the account's root stands for EC2."""
        assumed = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "RoleSessionName": "i-0fake"}
        keys: dict[str, Any] = self.aws("sts", "assume_role", **assumed)["Credentials"]
        return keys


@contextmanager
def prepared(sources: Path, folder: Path, tell: Callable[[str], None]) -> Iterator[Account]:
    """Yield an account with the stacks of a clone's ecs/ in it, as it is before the first release.

    `folder` takes the commands' output. All that was started is ended, and all that was made removed. Raises
    SetupError.
    """
    with ExitStack() as ended:
        tell("engine and images")
        if not shutil.which("rsync"):
            raise SetupError("gitlab-ci-local copies a job's folder with rsync, which is not installed.")
        images = _images(folder)
        tell("emulator and database")
        os.environ |= _engine()
        host, password = "database", secrets.token_urlsafe(12)
        aws = Emulator(f"--database=postgresql://colophon:{password}@{host}:5432/colophon")
        ended.callback(aws.end)
        network = aws.state()["network"]
        remove = ["docker", "rm", "--force", "--volumes", f"{network}-database"]
        ended.callback(subprocess.run, remove, capture_output=True, check=False)
        _start_database(network, host, password, images)
        yield _with_stacks(aws, images, sources, folder, tell, f"{network}-database")


def _images(folder: Path) -> dict[str, str]:
    """Return the variables that name the images to build on; empty where the hub has its own.

    On a Debian machine without an engine or a hub, both are made. Raises SetupError.
    """
    given = {name: os.environ[name] for name in ("BASE", "POSTGRES_IMAGE") if name in os.environ}
    if given and _succeeds("docker info"):
        return given
    if _succeeds("docker info") and _succeeds(f"docker pull {_default('src/Dockerfile', BASE)}"):
        return {}
    with (folder / "engine.log").open("w") as log:
        command = (ROOT / ".ci/engine", "env")
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    # Another client, earlier in the PATH, may lack what builds.
    os.environ["PATH"] = f"/usr/bin{os.pathsep}{os.environ['PATH']}"
    if made.returncode:
        raise SetupError(
            "No Docker engine answers that has images, and .ci/engine could not make them: it needs Debian and root. "
            f"Its output is in {log.name}."
        )
    return dict(re.findall(r"^(BASE|POSTGRES_IMAGE)=(.+)", made.stdout, re.MULTILINE))


def _engine() -> dict[str, str]:
    """Return the variable that says where the engine is, for commands that do not know the user's own settings."""
    words = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return {"DOCKER_HOST": found} if found else {}


def _succeeds(command: str) -> bool:
    try:
        return not subprocess.run(command.split(), capture_output=True, check=False, timeout=600).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def _default(file: str, pattern: str) -> str:
    """Return the image that a file names where no variable names another."""
    found = re.search(pattern, (ROOT / file).read_text())
    assert found, file
    return found[1]


def _start_database(network: str, host: str, password: str, images: Mapping[str, str]) -> None:
    """Start the stand-in of RDS: PostgreSQL with TLS, without which the site's tasks would not speak to it."""
    image = images.get("POSTGRES_IMAGE") or _default("docker-compose.yml", r"POSTGRES_IMAGE:-([^}]+)")
    base = images.get("BASE") or _default("src/Dockerfile", BASE)
    certificate = f"openssl req -new -x509 -nodes -days 2 -subj /CN={host} -keyout - -out -"
    own = {"PAIR": docker(f"run --rm {base} {certificate}"), "PASSWORD": password}
    own |= {"POSTGRES_USER": "colophon", "POSTGRES_DB": "colophon", "POSTGRES_PASSWORD_FILE": "/tmp/password"}  # noqa: S108
    settings = [f"--env={key}={value}" for key, value in own.items()]
    options = f"--detach --name={network}-database --network={network} --network-alias={host} --user=postgres"
    options += f" --network-alias={RESTORED}{host}"
    docker(f"run {options} --entrypoint=sh", *settings, image, "-c", DATABASE)
    until(lambda: _succeeds(f"docker exec {network}-database pg_isready --host=127.0.0.1 --dbname=colophon --quiet"))


def _with_stacks(
    aws: Emulator, images: Mapping[str, str], sources: Path, folder: Path, tell: Callable[[str], None], database: str
) -> Account:
    zone = aws("route53", "create_hosted_zone", Name=DOMAIN, CallerReference="rehearsal")["HostedZone"]["Id"]
    chosen = [f"load-balancer.Domain={DOMAIN}", f"load-balancer.HostedZoneId={zone.rpartition('/')[2]}"]
    chosen += [f"delivery.GitLabUrl={GITLAB}", f"delivery.GitLabProject={PROJECT}"]
    chosen.append("service.Memory=512")  # a site that wants more reaches its limit sooner

    def make(*names: str) -> None:
        for name in names:
            tell(f"stack {name}")
            _make_stack(aws, sources, name, chosen, folder)

    make("network", "registry", "cluster", "load-balancer")
    # Its name has no address here: the emulator's load balancer is visited by its port.
    url = aws.state()["load_balancers"]["colophon"]
    chosen.append(f"service.SiteUrl={url}")
    make("database", "service", "delivery")
    account = Account(aws, url, images, sources, tuple(chosen), folder, database)
    account.set_owner(json.loads(aws("secretsmanager", "get_secret_value", SecretId=OWNER)["SecretString"])["password"])
    return account


def _make_stack(aws: Emulator, sources: Path, name: str, choices: Iterable[str], folder: Path) -> None:
    chosen = [word for one in choices for word in ("--set", one)]
    command = (sys.executable, "-m", "delivery", "stacks", "--yes", "--only", name, *chosen)
    log = folder / "stacks.log"
    with log.open("a") as written:
        start = partial(subprocess.run, command, cwd=sources, env=aws.environment, stdout=written, stderr=written)
        try:
            done = start(check=False, timeout=600)
        except subprocess.TimeoutExpired:
            done = None
    if done is None or done.returncode:
        raise SetupError(f"The stack {name} could not be made; {log} says why.")

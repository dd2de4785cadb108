"""Both versions of the aws CLI, each call once: the same requests, and the same for the delivery."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import delivery
from delivery.aws import client, program
from delivery.aws.errors import AwsError
from delivery.terminal import shell
from tests.conftest import unavailable
from tests.delivery.aws.calls import calls_in
from tests.delivery.aws.fake_cli import RUN
from tests.delivery.aws.resources import REGION
from tests.delivery.aws.wire import NOON, Wire, refusal, request, whole

VERSION_2 = Path("/usr/local/lib/aws-cli-2")  # as .ci/packages unpacks it
FAKE = {"AWS_ACCESS_KEY_ID": "a-fake", "AWS_SECRET_ACCESS_KEY": "a-fake", "AWS_DEFAULT_REGION": REGION}
# For what the models do not say: a file's content, and a limit of the CLI's own.
STACK = ("cloudformation", "describe-stack-events", "--stack-name", "a", "--max-items", "200")
CHANGE_SET = ("cloudformation", "create-change-set", "--stack-name", "a", "--change-set-name", "b")
TEMPLATE = ("--template-body", "file://ecs/registry.yml", "--parameters", "[]")
OTHERS = [STACK, (*CHANGE_SET, *TEMPLATE)]


class Cli:
    """An aws CLI in a process that runs one command after the other."""

    def __init__(self, python):
        script = Path(__file__).with_name("cli_process.py")
        # Where version 1 was imported in this process, it has left a variable that names its own models.
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            (python, "-P", str(script)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )

    def run(self, command, *, env, **_):
        """Run a command as subprocess.run does."""
        self._process.stdin.write(json.dumps([command[1:], env]) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(command, said["code"], said["output"], said["errors"])

    def close(self):
        self._process.communicate()


@pytest.fixture(scope="module")
def versions():
    """Both versions of the CLI."""
    python = VERSION_2 / "python"
    if not python.exists():
        unavailable("version 2 of the aws CLI is not on this machine (Debian: .ci/packages tests)")
    both = [Cli(sys.executable), Cli(str(python))]
    yield both
    for each in both:
        each.close()


@pytest.fixture
def wire():
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture
def both(versions, wire, monkeypatch, tmp_path):
    """Make a call by each version, and return what each gave, or its error, and what each sent."""
    monkeypatch.setattr(program, "variables", lambda: {**program.PLAIN, "PATH": os.environ["PATH"]})

    def both(words, answers, **variables):
        found = []
        for version in versions:
            wire.answers, wire.requests = list(answers), []
            monkeypatch.setattr(shell.subprocess, "run", version.run)
            env = {**FAKE, "AWS_ENDPOINT_URL": wire.url, "HOME": str(tmp_path), "AWS_MAX_ATTEMPTS": "1", **variables}
            env = {name: value for name, value in env.items() if value is not None}
            try:
                said = client.call(*words, env=env)
            except AwsError as error:
                said = error
            found.append((said, wire.requests))
        monkeypatch.setattr(shell.subprocess, "run", RUN)
        return found

    return both


TIMES = (NOON.timestamp(), NOON.isoformat(), "2026-03-01T12:00:00Z")


def read(said):
    """Return an answer with its times read as the delivery reads them."""
    match said:
        case dict():
            return {name: read(value) for name, value in said.items()}
        case list():
            return [read(each) for each in said]
        case "Sun, 01 Mar 2026 12:00:00 GMT":  # of S3's headers, which the delivery does not read
            return NOON
    return client.moment(said) if said in TIMES else said


@pytest.mark.slow
def test_both_send_the_same_and_give_the_same(made, both):
    calls = [words[: words.index("--output")] for words in made.values()]
    others = calls_in(Path(delivery.__file__).parent.rglob("*.py")) - {" ".join(words[:2]) for words in calls}
    calls += [(*call.split(), "--cli-input-json", request(*call.split())) for call in sorted(others)]
    for words in [*calls, *OTHERS]:
        (first, sent), (second, sent_by_2) = both(words, whole(*words[:2]))
        assert not isinstance(first, AwsError), first
        assert sent
        assert sent_by_2 == sent
        assert read(second) == read(first)


SERVICES, CALLER, LOCK = (
    ("ecs", "describe-services", "--services", "a"),
    ("sts", "get-caller-identity"),
    ("s3api", "get-object", "--bucket", "a", "--key", "lease.json", os.devnull),
)
SKEWED = "Signature expired: 20260301T115000Z is now earlier than 20260301T120000Z (20260301T120500Z - 5 min.)"
TOKEN = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/proc/version", "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/a"}
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (SERVICES, "ThrottlingException", 400),
        (SERVICES, "ExpiredTokenException", 400),
        (SERVICES, "AccessDeniedException", 400),
        (SERVICES, "ServerException", 500),
        (SERVICES, "ClusterNotFoundException", 400),
        (CALLER, "SignatureDoesNotMatch", 403),
        (CALLER, "Throttling", 400),
        (LOCK, "NoSuchKey", 404),
        (LOCK, "PreconditionFailed", 412),
        (LOCK, "SlowDown", 503),
        (LOCK, "RequestTimeTooSkewed", 403),
    ],
)
def test_both_tell_a_refusal_the_same(both, words, code, status):
    said = SKEWED if code == "SignatureDoesNotMatch" else "User: a is not authorized to perform: b, or so."
    told = same(both(words, [refusal(words[0], code, said, status)], AWS_MAX_ATTEMPTS="2", AWS_RETRY_MODE="adaptive"))
    assert told.error == code
    assert told.said == said


@pytest.mark.parametrize("code", ["InvalidIdentityToken", "IDPCommunicationError", "RegionDisabledException"])
def test_both_tell_a_refused_token_the_same(both, code):
    told = same(both(CALLER, [refusal("sts", code, "no", 400)], **NO_KEYS, **TOKEN))
    assert (told.error, told.operation) == (code, "AssumeRoleWithWebIdentity")


@pytest.mark.parametrize(
    ("error", "variables"),
    [
        ("NoConnection", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}),
        ("ConnectionClosed", {}),
        ("NoCredentials", NO_KEYS),
        ("NoProfile", {"AWS_PROFILE": "none"}),
    ],
)
def test_both_tell_a_failure_of_their_own_the_same(both, error, variables):
    told = same(both(CALLER, [None], **variables))
    assert told.error == error
    assert not told.said.startswith("aws:")


def same(found):
    """Return the error that both gave. What to do with it does not depend on the version."""
    first, second = (error for error, _ in found)
    for what in ("error", "operation", "may_pass", "lasts", "may_be_done"):
        assert getattr(second, what) == getattr(first, what)
    assert second.cause.kind == first.cause.kind
    return second


def test_both_end_the_same_where_no_region_is_set(versions, tmp_path):
    without = {"HOME": str(tmp_path)}
    assert [each.run(["aws", "configure", "get", "region"], env=without).returncode for each in versions] == [1, 1]


def test_both_give_the_registrys_password(versions, wire, tmp_path):
    token = {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:a-fake").decode()}]}
    wire.answers = [(200, {}, json.dumps(token).encode())]
    env = {**FAKE, "AWS_ENDPOINT_URL": wire.url, "HOME": str(tmp_path)}
    assert [each.run(["aws", "ecr", "get-login-password"], env=env).stdout for each in versions] == ["a-fake\n"] * 2

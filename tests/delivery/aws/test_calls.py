"""The calls that the delivery makes, as the real aws CLI takes them, and as policies must allow them."""

import io
import re
from pathlib import Path

import pytest

import delivery
from tests.conftest import unavailable
from tests.delivery.aws.calls import DEPLOY, PUSH, ROTATE, calls_in
from tests.delivery.aws.resources import NAME

# An administrator makes the stacks, so the calls of `stacks` need no role of the pipeline.
BY_AN_ADMINISTRATOR = Path(delivery.__file__).parent / "aws/stacks"
SOURCES = sorted(path for path in Path(delivery.__file__).parent.rglob("*.py") if path.parent != BY_AN_ADMINISTRATOR)


@pytest.fixture
def cli(monkeypatch):
    """The real CLI, which takes a command line up to where it would send a request."""
    try:
        from awscli.botocore.awsrequest import AWSResponse
        from awscli.botocore.response import StreamingBody
        from awscli.clidriver import create_clidriver
    except ImportError:
        unavailable("the aws CLI is not installed (make setup FOR=delivery)")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-fake")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-fake")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    sent = []

    def stay(params, model, **_):
        sent.append((model.name, params))
        if hasattr(params["body"], "close"):
            params["body"].close()  # a file, which the CLI leaves to its end
        said = {"Body": StreamingBody(io.BytesIO(b""), 0)} if model.name == "GetObject" else {}
        return AWSResponse(params["url"], 200, {}, None), said

    driver = create_clidriver()
    driver.session.register("before-call", stay)

    def cli(words):
        sent.clear()
        code = driver.main([str(word) for word in words])
        return code, [name for name, _ in sent]

    return cli


def test_the_real_cli_takes_every_call_that_is_made(made, cli, capsys):
    assert {" ".join(words[:2]) for words in made.values()} == DEPLOY | ROTATE
    for words in made.values():
        code, operations = cli(words)
        sent = [re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in operations]
        assert (code, sent[:1]) == (0, [words[1]]), capsys.readouterr().err


def test_the_calls_in_the_source_are_those_that_are_known_here():
    """A new call needs a right in one of the roles."""
    assert calls_in(SOURCES) == DEPLOY | PUSH | ROTATE


def test_besides_calls_the_cli_gives_the_password_and_its_region_alone():
    source = "".join(path.read_text() for path in SOURCES)
    found = re.findall(r'cli\("(\w+)", "([\w-]+)"', source)
    assert found == [("ecr", "get-login-password"), ("configure", "get")]


def test_a_call_that_is_repeated_is_printed_once(deploy, aws, commits):
    aws.scripts = [["PENDING", *["IN_PROGRESS"] * 10, "SUCCESSFUL"]]
    shown = deploy().output
    assert aws.operations.count("ecs describe-service-deployments") == 12
    assert shown.count("aws ecs describe-service-deployments") == 1
    assert shown.count(f"aws ecs update-service --cluster {NAME}") == 1

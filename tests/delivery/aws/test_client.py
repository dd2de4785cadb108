"""Calls to AWS."""

import re
from pathlib import Path

import pytest

import delivery
from delivery.aws import client, errors
from delivery.terminal.shell import CommandError
from tests.conftest import unavailable
from tests.delivery.aws.calls import calls_in
from tests.delivery.aws.fake_cli import model, operation_model


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """Play the program `aws`, which answers with a text and records its calls."""

    def play(text):
        def output(*command, env, quiet, shielded):
            assert shielded
            calls.append((command, env, quiet))
            return text

        monkeypatch.setattr(client, "output", output)

    calls = []
    play.calls = calls
    return play


def test_an_answer_is_read_and_none_is_none(answer):
    answer('{"Account": "1"}\n')
    assert client.call("sts", "get-caller-identity") == {"Account": "1"}
    answer("\n")
    assert client.call("s3api", "put-object") is None


def test_it_asks_for_json_for_no_pager_and_for_plain_errors(answer):
    answer("")
    client.call("ecs", "list-tasks", "--cluster", "c", quiet=True)
    [(command, env, quiet)] = answer.calls
    assert command == ("aws", "ecs", "list-tasks", "--cluster", "c", "--output", "json")
    assert env.items() >= {("AWS_PAGER", ""), ("AWS_CLI_AUTO_PROMPT", "off"), ("AWS_CLI_ERROR_FORMAT", "legacy")}
    assert quiet


@pytest.fixture
def models():
    if model("ecs") is None:
        unavailable("the aws CLI, whose models say so, is not installed (make setup FOR=delivery)")


def test_what_the_cli_itself_would_try_again_may_pass(models):
    from awscli.botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

    codes = {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *TransientRetryableChecker._TRANSIENT_ERROR_CODES}
    codes |= {str(status) for status in TransientRetryableChecker._TRANSIENT_STATUS_CODES}
    assert codes <= errors.THROTTLED | errors.PASSING


@pytest.mark.parametrize("call", sorted(calls_in(Path(delivery.__file__).parent.rglob("*.py"))))
def test_an_error_that_is_the_service_s_own_may_pass(models, call):
    for shape in operation_model(*call.split()).error_shapes:
        error = shape.metadata.get("error", {})
        code = error.get("code", shape.name)
        if shape.metadata.get("fault") or error.get("httpStatusCode", 400) >= 500:
            assert code in errors.FAILED
        elif re.search("Throttl|TooMany(Requests|Updates)", code):
            assert code in errors.THROTTLED


@pytest.mark.parametrize(("code", "killed"), [(-15, "SIGTERM"), (143, "SIGTERM"), (130, "SIGINT"), (-9, "SIGKILL")])
def test_a_command_that_a_signal_ended_may_have_been_done(code, killed):
    error = errors.AwsError(CommandError(("aws", "ecs", "update-service"), code, ""))
    assert error.killed == killed
    assert error.may_be_done
    assert error.message == f"`aws ecs update-service` was ended by {killed}"

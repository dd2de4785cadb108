"""The credentials of calls, of which nothing is left afterwards."""

from pathlib import Path

import click
import pytest

from delivery.aws import credentials
from delivery.pipelines import current
from delivery.terminal import shell

ROLE = "arn:aws:iam::111122223333:role/colophon-deploy"
JOB = {
    "CI": "true",
    "AWS_REGION": "eu-central-1",
    "AWS_ID_TOKEN": "a fake token",
    "AWS_ROLE_ARN": ROLE,
    "CI_JOB_ID": "7",
}


def session(variables, source="token"):
    return credentials.session(current(variables), source, environment=variables)


def test_the_pipelines_token_is_a_file_for_this_user_alone_and_gone_afterwards():
    with session(JOB) as variables:
        path = Path(variables["AWS_WEB_IDENTITY_TOKEN_FILE"])
        assert path.read_text() == "a fake token"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert variables["AWS_ROLE_ARN"] == ROLE
        assert variables["AWS_ROLE_SESSION_NAME"] == "job-7"
    assert not path.parent.exists()


def test_it_is_gone_after_a_failure_too():
    with pytest.raises(ZeroDivisionError), session(JOB) as variables:
        home = Path(variables["HOME"])
        raise ZeroDivisionError
    assert not home.exists()


def test_each_job_has_a_home_of_its_own_as_the_cli_keeps_credentials_there():
    with session(JOB) as one, session(JOB) as two:
        assert one["HOME"] != two["HOME"]
        assert Path(one["HOME"]).is_dir()


def test_the_token_is_no_variable_of_the_calls(monkeypatch):
    monkeypatch.setenv("AWS_ID_TOKEN", "a fake token")
    with session(JOB) as variables:
        assert "AWS_ID_TOKEN" not in shell.environment(variables)


def test_by_hand_the_home_and_the_profile_stay_what_they_are(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    with session({"AWS_REGION": "eu-central-1"}) as variables:
        assert "HOME" not in variables
        assert shell.environment(variables)["AWS_PROFILE"] == "mine"


def test_version_1_of_the_cli_is_told_the_region_by_the_variable_that_it_reads():
    with session({"AWS_REGION": "eu-west-1"}) as variables:
        assert variables["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_the_region_of_the_environment_goes_before_the_variables():
    variables = {"AWS_REGION": "eu-west-1"}
    with credentials.session(current(variables), "token", "eu-north-1", variables) as given:
        assert (given["AWS_DEFAULT_REGION"], given["AWS_REGION"]) == ("eu-north-1", None)


def test_the_region_may_stand_in_the_configuration(aws):
    assert credentials.region({}) == "eu-central-1"


def test_without_any_region_it_is_said_how_to_set_one(aws, monkeypatch):
    monkeypatch.setattr(aws.program, "handle", lambda *_: {"output": "", "errors": "", "code": 1})
    with pytest.raises(click.ClickException, match="set AWS_REGION"):
        credentials.region({})


def test_the_calls_of_a_job_are_made_with_its_token_and_show_nothing_of_it(deliver, aws, commits, monkeypatch):
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    result = deliver("status")
    assert result.exit_code == 0
    assert {each.get("AWS_ROLE_ARN") for each in aws.program.environments} == {ROLE}
    assert not any("AWS_ID_TOKEN" in each for each in aws.program.environments)
    assert "a fake token" not in result.output


def test_the_endpoint_of_an_emulator_is_passed_on(deliver, aws, commits, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    deliver("status")
    assert {each["AWS_ENDPOINT_URL"] for each in aws.program.environments} == {"http://127.0.0.1:4566"}

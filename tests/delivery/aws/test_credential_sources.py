"""The one source of a pipeline's credentials, by the real aws CLI, where every source is there at once."""

import re
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from delivery import environments
from delivery.aws import credentials
from delivery.aws.client import call
from delivery.aws.errors import AwsError
from delivery.deployment.outcomes import Ended, Outcome
from delivery.pipelines import current
from tests.conftest import unavailable
from tests.instance_metadata import InstanceMetadata

ROLE = "arn:aws:iam::111122223333:role/colophon-deploy"
NAMES = ("AccessKeyId", "SecretAccessKey", "SessionToken")
ASSUMED = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials>
<AccessKeyId>FAKEOFTHEROLE</AccessKeyId><SecretAccessKey>fake</SecretAccessKey><SessionToken>fake</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{0}Result></{0}Response>"""
CALLER = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:fake</Arn><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Sts(BaseHTTPRequestHandler):
    def do_POST(self):
        said = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        action = said["Action"][0]
        key = re.search(r"Credential=(\w+)/", self.headers.get("Authorization", ""))
        given = said.get("WebIdentityToken", [key and key[1]])[0]
        self.server.calls.append((action, given, *said.get("RoleArn", []), *said.get("RoleSessionName", [])))
        body = (CALLER if action == "GetCallerIdentity" else ASSUMED.format(action)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def sts(monkeypatch):
    """STS, as far as it gives a role to everybody and notes who called."""
    if not shutil.which("aws", path=Path(sys.executable).parent):
        unavailable("the aws CLI is not installed (make setup FOR=delivery)")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sts)
    server.calls = []
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def instance(monkeypatch):
    service = InstanceMetadata("colophon-runner", dict.fromkeys(NAMES, "FAKEOFTHEINSTANCE"))
    for name, value in service.variables.items():
        monkeypatch.setenv(name, value)
    yield service
    service.close()


@pytest.fixture
def job(tmp_path, monkeypatch):
    """The variables of a job that has every source, a profile and settings that lead elsewhere among them."""
    config = tmp_path / "config"
    config.write_text("[profile mine]\naws_access_key_id = FAKEOFTHEPROFILE\naws_secret_access_key = fake\n")
    variables = {
        "CI": "true",
        "CI_JOB_ID": "7",
        "AWS_REGION": "eu-central-1",
        "AWS_ID_TOKEN": "a fake token",
        "AWS_ROLE_ARN": ROLE,
        "AWS_PROFILE": "mine",
        "AWS_CONFIG_FILE": str(config),
        "AWS_EC2_METADATA_DISABLED": "true",
    } | dict.fromkeys(credentials.KEYS, "FAKEOFTHEJOB")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def identify(source, variables):
    with credentials.session(current(variables), source, environment=variables) as given:
        return call("sts", "get-caller-identity", env=given)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "calls"),
    [
        (
            "token",
            [("AssumeRoleWithWebIdentity", "a fake token", ROLE, "job-7"), ("GetCallerIdentity", "FAKEOFTHEROLE")],
        ),
        ("instance", [("AssumeRole", "FAKEOFTHEINSTANCE", ROLE, "job-7"), ("GetCallerIdentity", "FAKEOFTHEROLE")]),
        ("environment", [("GetCallerIdentity", "FAKEOFTHEJOB")]),
    ],
)
def test_of_several_sources_the_cli_takes_the_chosen_one(source, calls, sts, instance, job):
    assert identify(source, job)["Account"] == "111122223333"
    assert sts.calls == calls


@pytest.mark.slow
def test_without_a_role_on_the_instance_no_other_source_is_taken(sts, job, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(AwsError) as refused:
        identify("instance", job)
    assert refused.value.cause.kind == "no-credentials"
    assert "the role of the EC2 instance" in refused.value.cause.sentence
    assert "delivery.toml" in refused.value.cause.change
    assert refused.value.lasts
    assert sts.calls == []


@pytest.mark.parametrize(
    ("source", "variable", "sentence"),
    [
        ("token", "AWS_ID_TOKEN", "the job's identity token, and AWS_ID_TOKEN is not set."),
        ("token", "AWS_ROLE_ARN", "the job's identity token, and AWS_ROLE_ARN, the role to assume, is not set."),
        ("instance", "AWS_ROLE_ARN", "runner is on, and AWS_ROLE_ARN, the role to assume, is not set."),
        *(
            ("environment", name, f"the keys in the job's variables, and {name} is not set.")
            for name in credentials.KEYS
        ),
    ],
)
def test_a_source_that_is_not_there_is_refused_in_one_sentence(source, variable, sentence, job):
    with pytest.raises(Ended) as refused:
        identify(source, job | {variable: ""})
    assert (refused.value.outcome, refused.value.cause.kind) == (Outcome.REFUSED, "no-credentials")
    assert refused.value.cause.sentence.endswith(sentence)
    assert "`credentials` in delivery.toml" in refused.value.cause.change


def test_every_source_that_the_file_may_name_is_known():
    assert set(credentials.SOURCES) == set(environments.CREDENTIALS)


@pytest.mark.parametrize(("source", "name"), credentials.SOURCES.items())
def test_a_job_says_which_source_and_which_role_it_works_with(
    source, name, deliver, aws, commits, root, job, monkeypatch
):
    (root / "delivery.toml").write_text(f'[production]\ncredentials = "{source}"\n')
    for variable, value in job.items():
        monkeypatch.setenv(variable, value)
    result = deliver("status")
    assert result.exit_code == 0, result.output
    said = f"Credentials: {name}, arn:aws:sts::111122223333:assumed-role/colophon-deploy-eu-central-1/job-1."
    assert result.output.splitlines().count(said) == 1


def test_a_person_works_with_what_the_cli_is_set_up_with(deliver, aws, commits, root):
    (root / "delivery.toml").write_text('[production]\ncredentials = "instance"\n')
    assert "Credentials: what the aws CLI is set up with, arn:" in deliver("status").output

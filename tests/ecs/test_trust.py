"""The roles that deliver, which AWS gives to jobs of this project's branch master, and to no others."""

import json
import re

import pytest

from tests.delivery.pipelines.gitlab_ci import Pipeline
from tests.ecs.policies import allowed

HOST = "gitlab.example.org"
ROLES = {"PushRole": "arn:aws:iam::123456789012:role/colophon-push-eu-central-1"}
ROLES |= {"DeployRole": "arn:aws:iam::123456789012:role/colophon-deploy-eu-central-1"}
MASTER = "project_path:group/colophon:ref_type:branch:ref:master"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/gitlab.example.org"


@pytest.mark.parametrize("role", ROLES)
def test_a_job_of_master_is_trusted_by_its_token(resources, role):
    assert json.loads(resources("delivery", ProviderArn=PROVIDER)[role]["AssumeRolePolicyDocument"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": PROVIDER},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{HOST}:aud": ROLES[role], f"{HOST}:sub": MASTER}},
            }
        ],
    }


def trusted(resources, sub, aud=ROLES["DeployRole"]):
    trust = json.loads(resources("delivery")["DeployRole"]["AssumeRolePolicyDocument"])["Statement"]
    keys = {f"{HOST}__sub": sub, f"{HOST}__aud": aud}
    return allowed(trust, "sts:AssumeRoleWithWebIdentity", **keys)


def test_the_token_of_master_passes(resources):
    assert trusted(resources, MASTER)


@pytest.mark.parametrize(
    "sub",
    [
        MASTER.replace("ref:master", "ref:feature"),
        MASTER.replace("ref:master", "ref:master-2"),
        MASTER.replace("branch", "tag"),
        MASTER.replace("group/", "fork/"),
        MASTER.replace("group/colophon", "group/colophon:ref_type:branch:ref:master/x"),
        MASTER.upper(),
    ],
    ids=["a branch", "one that begins like it", "a tag of that name", "a fork", "a path that imitates it", "capitals"],
)
def test_every_other_token_is_refused(resources, sub):
    assert not trusted(resources, sub)


@pytest.mark.parametrize("aud", [f"https://{HOST}", "https://vault.example.org", ROLES["PushRole"]])
def test_a_token_for_anything_else_than_this_role_is_refused(resources, aud):
    assert not trusted(resources, MASTER, aud=aud)


def test_the_audience_of_a_job_s_token_is_the_role_that_the_job_assumes(resources):
    jobs = Pipeline().jobs_by_name
    for job, role in (("push", "PUSH"), ("deploy", "DEPLOY"), ("rollback", "DEPLOY")):
        assert jobs[job]["id_tokens"] == {"AWS_ID_TOKEN": {"aud": f"$AWS_ROLE_{role}"}}
        assert jobs[job]["variables"]["AWS_ROLE_ARN"] == f"$AWS_ROLE_{role}"
    outputs = {name: resources("delivery")[name]["RoleName"] for name in ROLES}
    assert {name: arn.rpartition("/")[2] for name, arn in ROLES.items()} == outputs


def test_a_provider_is_made_for_that_gitlab_unless_the_account_has_one(resources):
    assert resources("delivery")["Provider"] == {"Url": f"https://{HOST}", "ClientIdList": list(ROLES.values())}
    assert "Provider" not in resources("delivery", ProviderArn=PROVIDER)


@pytest.mark.parametrize("role", ["PushRole", "DeployRole"])
def test_where_aws_cannot_reach_gitlab_the_protected_runner_is_trusted_instead(resources, role):
    made = resources("delivery", Trust="runner", GitLabProject="")
    (statement,) = made[role]["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Principal": {"AWS": "<RunnerRole.Arn>"}, "Action": "sts:AssumeRole"}
    assert "Provider" not in made
    assert made["RunnerInstanceProfile"]["Roles"] == ["<RunnerRole>"]


def test_with_gitlab_there_is_no_role_for_a_runner(resources):
    assert not {"RunnerRole", "RunnerInstanceProfile"} & set(resources("delivery"))


@pytest.mark.parametrize("name", ["cluster", "network", "service"])
def test_other_roles_are_for_one_service_of_aws_each(resources, name):
    made = [one["AssumeRolePolicyDocument"] for one in resources(name).values() if "AssumeRolePolicyDocument" in one]
    assert made
    for document in made:
        (statement,) = document["Statement"]
        assert statement["Action"] == "sts:AssumeRole"
        assert re.fullmatch(r"[a-z0-9-]+\.amazonaws\.com", statement["Principal"]["Service"])


@pytest.mark.parametrize(
    ("parameter", "value", "fits"),
    [
        ("GitLabUrl", "https://gitlab.example.org", True),
        ("GitLabUrl", "https://example.org/gitlab", True),
        ("GitLabUrl", "https://gitlab.example.org/", False),
        ("GitLabUrl", "https://gitlab.example.org:8443", False),
        ("GitLabUrl", "http://gitlab.example.org", False),
        ("GitLabUrl", 'https://gitlab.example.org","x', False),
        ("GitLabProject", "group/sub.group/colo-phon", True),
        ("GitLabProject", "colophon", False),
        ("GitLabProject", "group/*", False),
        ("GitLabProject", 'group/colophon"', False),
    ],
)
def test_what_the_conditions_are_made_of_cannot_widen_them(templates, parameter, value, fits):
    pattern = templates["delivery"]["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) is fits

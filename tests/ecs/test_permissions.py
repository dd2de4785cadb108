"""Who may do what on AWS: no more than what each needs, and in words that AWS understands."""

import re
from functools import cache

import pytest
from policy_sentry.querying.actions import get_action_data

from delivery.aws.stacks.update import STACKS
from tests.delivery.aws.calls import DEPLOY, PUSH
from tests.ecs.policies import allowed, listed

ECS = "arn:aws:ecs:eu-central-1:123456789012"
SSM = "arn:aws:ssm:eu-central-1:123456789012:parameter/colophon"
SECRETS = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:colophon/database"
ROLE = "arn:aws:iam::123456789012:role/colophon"
CLUSTER = f"{ECS}:cluster/colophon"
# What stands for ARNs that only AWS knows.
KNOWN = {
    "<Cluster.Arn>": CLUSTER,
    "<import colophon-RepositoryArn>": "arn:aws:ecr:eu-central-1:123456789012:repository/colophon",
    "<import colophon-DatabaseOwnerArn>": f"{SECRETS}-owner-aBcDeF",
    "<import colophon-DatabaseSiteUserArn>": f"{SECRETS}-site-user-aBcDeF",
    "<import colophon-DatabaseNextUserArn>": f"{SECRETS}-next-user-aBcDeF",
    "<LogGroup.Arn>": "arn:aws:logs:eu-central-1:123456789012:log-group:/colophon/site:*",
    "<FlowLogGroup.Arn>": "arn:aws:logs:eu-central-1:123456789012:log-group:/colophon/flow-log:*",
    "<ReceiptsBucket.Arn>": "arn:aws:s3:::colophon-receipts-123456789012-eu-central-1",
}
REPOSITORY = KNOWN["<import colophon-RepositoryArn>"]
OWNER, SITE_USER, NEXT_USER = (
    KNOWN[f"<import colophon-Database{name}Arn>"] for name in ("Owner", "SiteUser", "NextUser")
)
RECEIPTS = KNOWN["<ReceiptsBucket.Arn>"]
SHELL = {"ecs__enable-execute-command": "true"}


def known(resource):
    for name, arn in KNOWN.items():
        resource = resource.replace(name, arn)
    assert "<" not in resource
    return resource


def statements_of(policy):
    return [one | {"Resource": [known(arn) for arn in listed(one["Resource"])]} for one in policy["Statement"]]


@pytest.fixture(scope="session")
def permissions(resources):
    """The statements that each role has, by its name without the project's."""
    found = {}
    for stack in STACKS:
        given = {"Trust": "runner"} if stack.name == "delivery" else {}
        made = resources(stack.name, **given)
        for name, properties in made.items():
            if "AssumeRolePolicyDocument" in properties:
                own = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
                added = [
                    policy["PolicyDocument"]
                    for policy in made.values()
                    if f"<{name}>" in policy.get("Roles", []) and "PolicyDocument" in policy
                ]
                role = properties["RoleName"].removeprefix("colophon-").removesuffix("-eu-central-1")
                found[role] = [one for policy in own + added for one in statements_of(policy)]
    return found


@pytest.fixture
def deploy(permissions):
    return permissions["deploy"]


def test_these_are_the_roles_that_there_are(permissions):
    assert set(permissions) == {
        *("deploy", "execution", "flow-log", "instance", "prepare-execution", "push", "runner", "task"),
    }


def test_the_site_itself_may_do_nothing(permissions):
    assert permissions["task"] == []


def test_no_permission_has_a_wildcard_for_what_may_be_done(permissions):
    for statements in permissions.values():
        for statement in statements:
            assert statement["Effect"] == "Allow"
            assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action) for action in listed(statement["Action"]))


def formats(action):
    """Return what AWS lets an action be about, as patterns of ARNs; nothing when it knows no narrower than all."""
    service, name = action.split(":")
    data = get_action_data(service, name)
    assert data, f"AWS knows no {action}"
    return {one["resource_arn_format"] for one in data[service]} - {"*"}


def about(pattern, resource):
    """Whether some ARN fits both AWS's pattern for what an action is about and the resource of a statement."""
    # These have no colon or slash in them; other names may.
    simple = re.sub(r"\$\{(Partition|Region|Account|BucketName)\}", "?", pattern)
    return overlap(re.sub(r"\$\{\w+\}", "*", simple), resource)


@cache
def overlap(one, other):
    """Whether two patterns, with `*` for any text and `?` for any without : and /, have a text in common."""
    if not one or not other:
        return not (one + other).strip("*?")
    for mine, theirs in ((one, other), (other, one)):
        if mine[0] in "*?":
            taken = mine[0] == "*" or theirs[0] not in ":/"
            return overlap(mine[1:], theirs) or (taken and overlap(mine, theirs[1:]))
    return one[0] == other[0] and overlap(one[1:], other[1:])


def test_every_permission_is_about_something_that_the_action_can_be_about(permissions):
    for role, statements in permissions.items():
        for statement in statements:
            used = set()
            for action in listed(statement["Action"]):
                possible = formats(action)
                fitting = {arn for arn in statement["Resource"] for one in possible if about(one, arn)}
                if statement["Resource"] == ["*"]:
                    assert not possible or "Condition" in statement, f"{role}: {action} on everything"
                    fitting = {"*"}
                assert fitting, f"{role}: {action} never allowed"
                used |= fitting
            assert used == set(statement["Resource"]), f"{role}: {statement}"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ecs:DescribeContainerInstances", f"{ECS}:task/colophon/1"),
        ("ecs:RunTask", f"{ECS}:service/colophon/colophon"),
        ("s3:ListBucket", f"{RECEIPTS}/receipts/*"),
        ("iam:PassRole", f"{ECS}:cluster/colophon"),
    ],
)
def test_a_permission_about_what_the_action_is_never_about_is_found(action, resource):
    assert not any(about(one, resource) for one in formats(action))


# IAM's own keys, which AWS's list of actions does not repeat.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = {"aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}


def unknown_keys(statements):
    """Return the condition keys that AWS never has of some action of their statement, with that action."""
    return {
        (key, action)
        for statement in statements
        for condition in statement.get("Condition", {}).values()
        for key in condition
        for action in listed(statement["Action"])
        if key not in GLOBAL_KEYS and key not in keys(action)
    }


def keys(action):
    service, name = action.split(":")
    return {key for one in get_action_data(service, name)[service] for key in one["condition_keys"]}


def test_every_condition_is_about_what_aws_knows_of_a_request(permissions, resources):
    everywhere = [one for statements in permissions.values() for one in statements]
    for stack in STACKS:
        for made in resources(stack.name).values():
            documents = [made[name] for name in ("PolicyDocument", "AssumeRolePolicyDocument") if name in made]
            everywhere += [one for document in documents if isinstance(document, dict) for one in document["Statement"]]
    assert len(everywhere) > 40
    assert unknown_keys(everywhere) == set()


@pytest.mark.parametrize("key", ["iam:PassedToServices", "aws:SourceAcount", "ecs:cluster"])
def test_a_condition_that_never_holds_is_found(key):
    statement = {"Action": ["iam:PassRole"], "Condition": {"StringEquals": {key: "x"}}}
    assert unknown_keys([statement]) == {(key, "iam:PassRole")}


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ecr:PutImage", REPOSITORY, {}),
        ("ssm:GetParameter", f"{SSM}/site-url", {}),
        ("ssm:PutParameter", f"{SSM}/released-image", {}),
        ("ecs:DescribeTaskDefinition", "*", {}),
        ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/colophon:8", {}),
        ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/colophon:8", {"ecs__privileged": "false"}),
        ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/colophon-prepare:8", {}),
        ("ecs:RunTask", f"{ECS}:task-definition/colophon-prepare:8", {"ecs__cluster": CLUSTER}),
        ("ecs:UpdateService", f"{ECS}:service/colophon/colophon", {}),
        (
            "ecs:UpdateService",
            f"{ECS}:service/colophon/colophon",
            {"ecs__subnet": "<import colophon-PrivateSubnetIds>"},
        ),
        ("ecs:StopServiceDeployment", f"{ECS}:service-deployment/colophon/colophon/1", {}),
        ("iam:PassRole", f"{ROLE}-task-eu-central-1", {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
        ("iam:PassRole", f"{ROLE}-prepare-execution-eu-central-1", {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
        ("secretsmanager:DescribeSecret", OWNER, {}),
        ("secretsmanager:DescribeSecret", NEXT_USER, {}),
        ("s3:PutObject", f"{RECEIPTS}/receipts/1.json", {}),
        ("s3:PutObject", f"{RECEIPTS}/lease.json", {}),
    ],
)
def test_the_deploy_job_may(deploy, action, resource, context):
    assert allowed(deploy, action, resource, **context)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("secretsmanager:GetSecretValue", OWNER, {}),
        ("secretsmanager:GetSecretValue", SITE_USER, {}),
        ("secretsmanager:PutSecretValue", SITE_USER, {}),
        ("ssm:PutParameter", f"{SSM}/database-url", {}),
        ("ecs:RunTask", f"{ECS}:task-definition/colophon:8", {"ecs__cluster": CLUSTER}),
        ("ecr:UploadLayerPart", REPOSITORY, {}),
        ("ecr:BatchDeleteImage", REPOSITORY, {}),
        ("ssm:PutParameter", f"{SSM}/site-url", {}),
        ("ssm:PutParameter", f"{SSM}2/released-image", {}),
        ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/other:1", {}),
        ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/colophon:8", {"ecs__privileged": "true"}),
        ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/colophon-prepare:8", {"ecs__privileged": "true"}),
        ("ecs:RunTask", f"{ECS}:task-definition/colophon-prepare:8", {"ecs__cluster": CLUSTER} | SHELL),
        ("ecs:UpdateService", f"{ECS}:service/colophon/colophon", SHELL),
        ("ecs:UpdateService", f"{ECS}:service/colophon/colophon", {"ecs__subnet": "subnet-1"}),
        ("ecs:UpdateService", f"{ECS}:service/colophon/colophon", {"ecs__auto-assign-public-ip": "true"}),
        ("ecs:RunTask", f"{ECS}:task-definition/colophon-prepare:8", {"ecs__cluster": f"{ECS}:cluster/other"}),
        ("ecs:ListTasks", "*", {"ecs__cluster": f"{ECS}:cluster/other"}),
        ("ecs:UpdateService", f"{ECS}:service/colophon/other", {}),
        ("ecs:DeleteService", f"{ECS}:service/colophon/colophon", {}),
        ("iam:PassRole", f"{ROLE}-deploy-eu-central-1", {"iam__PassedToService": "ecs-tasks.amazonaws.com"}),
        ("iam:PassRole", f"{ROLE}-task-eu-central-1", {"iam__PassedToService": "ec2.amazonaws.com"}),
        ("iam:PassRole", f"{ROLE}-task-eu-central-1", {}),
        ("s3:DeleteObject", f"{RECEIPTS}/receipts/1.json", {}),
        ("s3:DeleteObjectVersion", f"{RECEIPTS}/lease.json", {}),
        ("s3:PutBucketPolicy", RECEIPTS, {}),
        ("cloudformation:UpdateStack", "*", {}),
    ],
)
def test_the_deploy_job_may_not(deploy, action, resource, context):
    assert not allowed(deploy, action, resource, **context)


def action(call):
    """Return what a role must be allowed for a call of the aws CLI, as policies name it; None where it needs none."""
    special = {"s3api list-objects-v2": "s3:ListBucket", "sts get-caller-identity": None}
    if call in special:
        return special[call]
    service, operation = call.split()
    prefix = {"s3api": "s3", "elbv2": "elasticloadbalancing"}.get(service, service)
    return f"{prefix}:{''.join(word.capitalize() for word in operation.split('-'))}"


def actions(statements):
    return {action for statement in statements for action in listed(statement["Action"])}


def test_the_deploy_job_may_make_the_calls_it_makes_and_no_others(deploy):
    # Tasks are given their roles, which is no call of its own.
    assert actions(deploy) == {action(call) for call in DEPLOY} - {None} | {"iam:PassRole"}


def test_the_build_job_may_make_the_calls_it_makes_and_those_of_docker(permissions):
    docker = {
        f"ecr:{name}"
        for name in (
            *("GetAuthorizationToken", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer"),
            *("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"),
        )
    }
    assert actions(permissions["push"]) == {action(call) for call in PUSH} - {None} | docker


def test_the_build_job_may_push_images_and_nothing_else(permissions):
    push = permissions["push"]
    assert allowed(push, "ecr:PutImage", REPOSITORY)
    assert not allowed(push, "ecr:PutImage", f"{REPOSITORY}-2")
    assert {action.split(":")[0] for action in actions(push)} == {"ecr"}


@pytest.mark.parametrize(
    ("role", "readable"),
    [("execution", {SITE_USER}), ("prepare-execution", {OWNER, SITE_USER, NEXT_USER})],
)
def test_a_task_is_started_with_its_own_image_log_and_secrets(permissions, role, readable):
    execution = permissions[role]
    secrets = (OWNER, SITE_USER, NEXT_USER, f"{SITE_USER}2")
    assert {each for each in secrets if allowed(execution, "secretsmanager:GetSecretValue", each)} == readable
    assert allowed(execution, "ssm:GetParameters", f"{SSM}/database-url")
    assert allowed(execution, "logs:PutLogEvents", KNOWN["<LogGroup.Arn>"].replace("*", "log-stream:site/site/1"))
    assert not allowed(execution, "ecr:PutImage", REPOSITORY)


def test_a_runner_may_only_become_one_of_the_two_roles(permissions):
    (statement,) = permissions["runner"]
    assert (statement["Action"], statement["Resource"]) == (
        "sts:AssumeRole",
        [f"{ROLE}-push-eu-central-1", f"{ROLE}-deploy-eu-central-1"],
    )


@pytest.fixture
def bucket_policy(resources):
    document = resources("delivery")["ReceiptsBucketPolicy"]["PolicyDocument"]
    return [one | {"Resource": [known(arn) for arn in listed(one["Resource"])]} for one in document["Statement"]]


TLS = {"aws__SecureTransport": "true"}
ONLY_NEW, ONLY_INSTEAD = {"s3__if-none-match": "*"}, {"s3__if-match": "1"}


@pytest.mark.parametrize(
    ("action", "key", "context", "may"),
    [
        ("s3:PutObject", "receipts/1.json", TLS | ONLY_NEW, True),
        ("s3:PutObject", "receipts/1.json", TLS, False),
        ("s3:DeleteObject", "receipts/1.json", TLS, False),
        ("s3:DeleteObjectVersion", "receipts/1.json", TLS, False),
        ("s3:PutObject", "lease.json", TLS | ONLY_NEW, True),
        ("s3:PutObject", "lease.json", TLS | ONLY_INSTEAD, True),
        ("s3:PutObject", "lease.json", TLS, False),
        ("s3:PutObject", "receipts/1.json", TLS | ONLY_INSTEAD, False),
        ("s3:DeleteObject", "lease.json", TLS, True),
        ("s3:GetObject", "receipts/1.json", TLS, True),
        ("s3:GetObject", "receipts/1.json", {"aws__SecureTransport": "false"}, False),
    ],
)
def test_receipts_are_written_once_and_stand_whoever_asks(bucket_policy, action, key, context, may):
    administrator = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    assert allowed([*administrator, *bucket_policy], action, f"{RECEIPTS}/{key}", **context) is may

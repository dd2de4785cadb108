"""Permissions: tokens of jobs, policies of roles, the registry's password, receipts that stand, locks that end."""

import base64
import json
import time
import urllib.error
import urllib.request

import pytest

from tests.emulator import ACCOUNT, REGION, CallError, docker, until
from tests.emulator.tests.with_engine.service import EXECUTION, arn_of, document, policy

GITLAB = "https://gitlab.example.com"
MASTER = "project_path:group/colophon:ref_type:branch:ref:master"
BUCKET = "receipts"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"


def token(**changes):
    """Return a token as GitLab makes them, but without a signature."""
    claims = {"iss": GITLAB, "aud": GITLAB, "sub": MASTER, "exp": int(time.time()) + 300, **changes}
    parts = [json.dumps({"alg": "RS256", "typ": "JWT", "kid": "k"}), json.dumps(claims), "no signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.fixture(scope="module")
def account(aws, service):
    """An account with a role for deployments with few permissions, and a bucket of receipts."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.example.com"
    claims = {"gitlab.example.com:aud": GITLAB, "gitlab.example.com:sub": MASTER}
    trusted = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider}}
    trusted["Condition"] = {"StringEquals": claims}
    aws("iam", "create_open_id_connect_provider", Url=GITLAB, ClientIDList=[GITLAB])
    aws("iam", "create_role", RoleName="deploy", AssumeRolePolicyDocument=document(trusted))
    pulling = ["ecr:BatchGetImage", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer"]
    unprivileged = {
        "StringNotEqualsIgnoreCase": {"ecs:privileged": "true", "ecs:enable-execute-command": "true"},
        "BoolIfExists": {"ecs:auto-assign-public-ip": "false"},
        "ForAllValues:StringEquals": {"ecs:subnet": ["subnet-1", "subnet-2"]},
    }
    restricted = [
        {"Effect": "Allow", "Action": action, "Resource": arn_of("ecs", resource), "Condition": unprivileged}
        for action, resource in (
            ("ecs:UpdateService", "service/site/site"),
            ("ecs:RegisterTaskDefinition", "task-definition/site:*"),
            ("ecs:RunTask", "task-definition/site:*"),
        )
    ]
    may = policy(
        (["ecs:DescribeServices"], arn_of("ecs", "service/site/site")),
        (["ecs:DescribeServiceDeployments"], arn_of("ecs", "service-deployment/site/site/*")),
        (["ecs:DescribeTasks"], arn_of("ecs", "task/site/*")),
        (["ecs:DescribeTaskDefinition"], "*"),
        (["iam:PassRole"], EXECUTION),
        (["logs:GetLogEvents"], arn_of("logs", "log-group:/site/log:log-stream:*")),
        (["cloudwatch:DescribeAlarms"], arn_of("cloudwatch", "alarm:site-*")),
        (["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"arn:aws:s3:::{BUCKET}/*"),
        (["ecr:GetAuthorizationToken"], "*"),
        (pulling, arn_of("ecr", "repository/site")),
        (["ecs:DescribeCapacityProviders"], arn_of("ecs", "capacity-provider/site")),
    )
    aws("iam", "put_role_policy", RoleName="deploy", PolicyName="deploy", PolicyDocument=may)
    aws("iam", "put_role_policy", RoleName="deploy", PolicyName="restricted", PolicyDocument=document(*restricted))
    aws("s3", "create_bucket", Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    aws("s3", "put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    rules = document(
        denied("s3:DeleteObject", "done/*"),
        denied("s3:PutObject", "done/*", Condition={"Null": {"s3:if-none-match": "true"}}),
        denied("s3:PutObject", "lock.json", Condition={"Null": {"s3:if-match": "true", "s3:if-none-match": "true"}}),
        denied("s3:*", "*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    )
    aws("s3", "put_bucket_policy", Bucket=BUCKET, Policy=rules)
    return aws


def denied(action, objects, **condition):
    """Return a statement that denies everyone an action on objects of the bucket."""
    resource = f"arn:aws:s3:::{BUCKET}/{objects}"
    return {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource, **condition}


def assume(aws, web_identity=None, **changes):
    """Assume the role for deployments, and return its credentials."""
    job = {"RoleArn": DEPLOY, "RoleSessionName": "job", "WebIdentityToken": web_identity or token(**changes)}
    given = aws("sts", "assume_role_with_web_identity", **job)["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


@pytest.fixture
def job(account):
    return assume(account)


@pytest.fixture
def may(account, job):
    """A call with the job's credentials that returns the code of the refusal, or None."""

    def call(service, operation, /, **arguments):
        try:
            account(service, operation, job, **arguments)
        except CallError as error:
            return error.code
        return None

    return call


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "project_path:group/colophon:ref_type:branch:ref:feature"}, "AccessDenied"),
        ({"sub": "project_path:group/colophon:ref_type:tag:ref:master"}, "AccessDenied"),
        ({"sub": "project_path:other/colophon:ref_type:branch:ref:master"}, "AccessDenied"),
        ({"exp": 1_700_000_000}, "ExpiredTokenException"),
        ({"aud": "https://elsewhere.example.com"}, "InvalidIdentityToken"),
        ({"iss": "https://elsewhere.example.com"}, "InvalidIdentityToken"),
    ],
    ids=["branch", "tag", "project", "expired", "audience", "issuer"],
)
def test_a_token_of_any_other_job_is_refused(account, changes, code):
    with pytest.raises(CallError) as refused:
        assume(account, **changes)
    assert refused.value.code == code


def test_text_that_is_no_token_is_refused(account):
    with pytest.raises(CallError, match="InvalidIdentityToken"):
        assume(account, "not one")


def test_masters_token_is_accepted(account, job):
    assert account("sts", "get_caller_identity", job)["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/job"


def test_the_role_may_change_its_service_and_no_other(may):
    assert may("ecs", "describe_services", cluster="site", services=["site"]) is None
    assert may("ecs", "update_service", cluster="site", service="site") is None
    assert may("ecs", "update_service", cluster="site", service="other") == "AccessDeniedException"
    assert may("ecs", "delete_service", cluster="site", service="site") == "AccessDeniedException"


def test_the_role_may_follow_what_it_began(account, may):
    shown = account("ecs", "list_service_deployments", cluster="site", service="site")["serviceDeployments"][0]
    named = shown["serviceDeploymentArn"]
    assert may("ecs", "describe_service_deployments", serviceDeploymentArns=[named]) is None
    assert may("ecs", "stop_service_deployment", serviceDeploymentArn=named) == "AccessDeniedException"


def test_the_role_may_pass_on_only_the_roles_that_it_is_granted(account, may, service):
    keys = ("family", "networkMode", "containerDefinitions", "executionRoleArn")
    wanted = service.definition(service.register("good"), *keys)
    assert may("ecs", "register_task_definition", **wanted) is None
    assert may("ecs", "register_task_definition", **{**wanted, "taskRoleArn": DEPLOY}) == "AccessDeniedException"
    assert may("ecs", "register_task_definition", **{**wanted, "family": "other"}) == "AccessDeniedException"


@pytest.mark.parametrize("privileged", [True, False])
def test_the_role_registers_no_privileged_container(account, may, service, privileged):
    wanted = service.definition(service.register("good"), "family", "networkMode", "containerDefinitions")
    wanted["containerDefinitions"][0]["privileged"] = privileged
    assert may("ecs", "register_task_definition", **wanted) == ("AccessDeniedException" if privileged else None)


@pytest.mark.parametrize(
    "change",
    [
        {"enableExecuteCommand": True},
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-9"]}}},
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "ENABLED"}}},
    ],
    ids=["a shell", "another subnet", "a public address"],
)
def test_the_role_gives_tasks_no_shell_and_no_way_to_the_internet(account, may, change):
    assert may("ecs", "update_service", cluster="site", service="site", **change) == "AccessDeniedException"


def test_the_role_may_run_its_family_by_name_or_by_number(may, service):
    definition = service.register("good")
    override = {"containerOverrides": [{"name": "site", "command": ["true"]}]}
    for named in ("site", definition, definition.rpartition("/")[2]):
        assert may("ecs", "run_task", cluster="site", taskDefinition=named, overrides=override) is None
        until(lambda: len(service.tasks()) == 2)  # so that there is room for the next


def test_the_role_may_read_one_log_and_see_its_own_alarms(may, service):
    task = service.run(service.register("good"), command=["echo", "hello"])
    stream = f"site/site/{task['taskArn'].rsplit('/', 1)[-1]}"
    assert may("logs", "get_log_events", logGroupName="/site/log", logStreamName=stream) is None
    assert may("logs", "get_log_events", logGroupName="/other", logStreamName=stream) == "AccessDeniedException"
    assert may("cloudwatch", "describe_alarms", AlarmNames=["site-errors"]) is None
    assert "AccessDenied" in str(may("cloudwatch", "describe_alarms", AlarmNames=["other"]))


def test_the_role_may_see_its_own_repository_and_capacity_provider(may):
    assert may("ecr", "describe_repositories", repositoryNames=["site"]) is None
    assert may("ecr", "describe_repositories", repositoryNames=["other"]) == "AccessDeniedException"
    assert may("ecs", "describe_capacity_providers", capacityProviders=["site"]) is None
    assert may("ecs", "describe_capacity_providers", capacityProviders=["other"]) == "AccessDeniedException"


def test_the_role_reads_no_secret(account, may):
    account("secretsmanager", "create_secret", Name="site/three", SecretString="x")
    assert may("secretsmanager", "get_secret_value", SecretId="site/three") == "AccessDeniedException"


def test_a_receipt_is_written_once_and_stands(account, may):
    receipt = {"Bucket": BUCKET, "Key": "done/1.json"}
    assert may("s3", "put_object", **receipt, Body="one") == "AccessDenied"
    assert may("s3", "put_object", **receipt, Body="one", IfNoneMatch="*") is None
    assert may("s3", "put_object", **receipt, Body="two", IfNoneMatch="*") == "PreconditionFailed"
    assert may("s3", "delete_object", **receipt) == "AccessDenied"
    assert account("s3", "get_object", **receipt)["Body"] == "one"


def test_a_lock_is_taken_renewed_and_released_by_its_holder_alone(account, may, job):
    lock = {"Bucket": BUCKET, "Key": "lock.json"}
    assert may("s3", "put_object", **lock, Body="mine") == "AccessDenied"
    first = account("s3", "put_object", job, **lock, Body="mine", IfNoneMatch="*")["ETag"]
    assert may("s3", "put_object", **lock, Body="yours", IfNoneMatch="*") == "PreconditionFailed"
    second = account("s3", "put_object", job, **lock, Body="still mine", IfMatch=first)["ETag"]
    assert may("s3", "put_object", **lock, Body="yours", IfMatch=first) == "PreconditionFailed"
    assert may("s3", "delete_object", **lock, IfMatch=first) == "PreconditionFailed"
    assert may("s3", "delete_object", **lock, IfMatch=second) is None
    versions = account("s3", "list_object_versions", Bucket=BUCKET, Prefix="lock.json")
    assert len(versions["Versions"]) == 2


@pytest.mark.parametrize("password", [None, "AWS:guess", "someone:guess", "nonsense"])
def test_the_registry_gives_nothing_without_a_password(aws, service, password):
    service.image("good")
    sent = {"Authorization": f"Basic {base64.b64encode(password.encode()).decode()}"} if password else {}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{aws.url}/v2/site/manifests/good", headers=sent))
    assert refused.value.code == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Basic ")
    refused.value.close()


def test_a_role_that_may_pull_may_not_push(account, aws, service, job):
    name = service.image("good")
    given = account("ecr", "get_authorization_token", job)["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(given).decode().removeprefix("AWS:")
    docker(f"login --username=AWS --password-stdin {aws.registry}", feed=password)
    try:
        docker(f"pull {name}")
        docker(f"tag {name} {aws.registry}/site:mine")
        with pytest.raises(AssertionError, match=r"not authorized to perform: ecr|denied"):
            docker(f"push {aws.registry}/site:mine")
    finally:
        aws.log_in()


def test_an_image_is_found_by_its_tag_and_its_digest(aws, service):
    digest = service.image("good").partition("@")[2]
    (found,) = aws("ecr", "describe_images", repositoryName="site", imageIds=[{"imageTag": "good"}])["imageDetails"]
    assert found["imageDigest"] == digest
    assert found["imageTags"] == ["good"]


def test_an_image_that_was_deleted_cannot_be_pulled_any_more(aws, service):
    name = service.image("doomed", DOOMED="1")
    definition = service.register("doomed")
    aws("ecr", "batch_delete_image", repositoryName="site", imageIds=[{"imageDigest": name.partition("@")[2]}])
    reason = service.run(definition)["containers"][0]["reason"]
    assert reason.startswith("CannotPullContainerError: Error response from daemon: manifest unknown")


def test_scans_of_images_are_complete_where_the_registry_scans(aws, service):
    def findings(**image):
        return aws("ecr", "describe_image_scan_findings", repositoryName="site", imageId=image)

    scanning = {"imageScanningConfiguration": {"scanOnPush": True}}
    aws("ecr", "put_image_scanning_configuration", repositoryName="site", **scanning)
    answer = findings(imageTag="good")
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert answer["imageScanFindings"]["findings"] == []
    with pytest.raises(CallError, match="ImageNotFoundException"):
        findings(imageTag="none")
    kind = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": []})
    wanted = {"imageManifest": index, "imageManifestMediaType": kind, "imageTag": "index"}
    put = aws("ecr", "put_image", repositoryName="site", **wanted)["image"]["imageId"]
    with pytest.raises(CallError, match="ScanNotFoundException"):
        findings(**put)
    aws("ecr", "batch_delete_image", repositoryName="site", imageIds=[put])

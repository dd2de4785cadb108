"""Who may what: tokens of jobs, policies of roles, the registry's password, receipts that stand, leases that end."""

import base64
import json
import time
import urllib.error
import urllib.request

import pytest

from tests.emulator.interface import ACCOUNT, REGION, CallError, docker, until
from tests.emulator.tests.with_engine.service import policy

GITLAB = "https://gitlab.example.com"
MASTER = "project_path:group/colophon:ref_type:branch:ref:master"
BUCKET = "receipts"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"


def token(**changes):
    """A token as GitLab makes them, signed by nobody."""
    claims = {"iss": GITLAB, "aud": GITLAB, "sub": MASTER, "exp": int(time.time()) + 300, **changes}
    parts = [json.dumps({"alg": "RS256", "typ": "JWT", "kid": "k"}), json.dumps(claims), "no signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.fixture(scope="module")
def account(aws, service):
    """An account with a role for deployments that may little, and a bucket of receipts."""
    condition = {"StringEquals": {"gitlab.example.com:aud": GITLAB, "gitlab.example.com:sub": MASTER}}
    trusted = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.example.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    aws("iam", "create_open_id_connect_provider", Url=GITLAB, ClientIDList=[GITLAB])
    aws("iam", "create_role", RoleName="deploy", AssumeRolePolicyDocument=json.dumps({"Statement": [trusted]}))
    place = f"{REGION}:{ACCOUNT}"
    may = policy(
        (["ecs:UpdateService", "ecs:DescribeServices"], f"arn:aws:ecs:{place}:service/site/site"),
        (["ecs:DescribeServiceDeployments"], f"arn:aws:ecs:{place}:service-deployment/site/site/*"),
        (["ecs:RegisterTaskDefinition", "ecs:RunTask"], f"arn:aws:ecs:{place}:task-definition/site:*"),
        (["ecs:DescribeTasks"], f"arn:aws:ecs:{place}:task/site/*"),
        (["ecs:DescribeTaskDefinition"], "*"),
        (["iam:PassRole"], f"arn:aws:iam::{ACCOUNT}:role/execution"),
        (["logs:GetLogEvents"], f"arn:aws:logs:{place}:log-group:/site/log:log-stream:*"),
        (["cloudwatch:DescribeAlarms"], f"arn:aws:cloudwatch:{place}:alarm:site-*"),
        (["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"arn:aws:s3:::{BUCKET}/*"),
        (["ecr:GetAuthorizationToken"], "*"),
        (
            ["ecr:BatchGetImage", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer"],
            f"arn:aws:ecr:{place}:repository/site",
        ),
        (["ecs:DescribeCapacityProviders"], f"arn:aws:ecs:{place}:capacity-provider/site"),
    )
    aws("iam", "put_role_policy", RoleName="deploy", PolicyName="deploy", PolicyDocument=may)
    aws("s3", "create_bucket", Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    aws("s3", "put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    rules = [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{BUCKET}/done/*"},
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/done/*",
            "Condition": {"Null": {"s3:if-none-match": "true"}},
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    aws("s3", "put_bucket_policy", Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": rules}))
    return aws


def assume(aws, **changes):
    """Become the role for deployments, and return its credentials."""
    given = aws(
        "sts", "assume_role_with_web_identity", RoleArn=DEPLOY, RoleSessionName="job", WebIdentityToken=token(**changes)
    )["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


@pytest.fixture
def job(account):
    return assume(account)


@pytest.fixture
def may(account, job):
    """Tell whether the job may do something: the code of the refusal, or None."""

    def ask(service, operation, /, **arguments):
        try:
            account(service, operation, job, **arguments)
        except CallError as error:
            return error.code
        return None

    return ask


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


def test_what_is_no_token_is_refused(account):
    with pytest.raises(CallError, match="InvalidIdentityToken"):
        account(
            "sts", "assume_role_with_web_identity", RoleArn=DEPLOY, RoleSessionName="job", WebIdentityToken="not one"
        )


def test_masters_token_is_taken(account, job):
    assert account("sts", "get_caller_identity", job)["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/job"


def test_the_role_may_change_its_service_and_no_other(may):
    assert may("ecs", "describe_services", cluster="site", services=["site"]) is None
    assert may("ecs", "update_service", cluster="site", service="site") is None
    assert may("ecs", "update_service", cluster="site", service="other") == "AccessDeniedException"
    assert may("ecs", "delete_service", cluster="site", service="site") == "AccessDeniedException"


def test_the_role_may_follow_what_it_began(account, may):
    arn = account("ecs", "list_service_deployments", cluster="site", service="site")["serviceDeployments"][0]
    named = arn["serviceDeploymentArn"]
    assert may("ecs", "describe_service_deployments", serviceDeploymentArns=[named]) is None
    assert may("ecs", "stop_service_deployment", serviceDeploymentArn=named) == "AccessDeniedException"


def test_the_role_may_pass_on_only_the_roles_that_it_is_told(account, may, service):
    shown = account("ecs", "describe_task_definition", taskDefinition=service.register("good"))["taskDefinition"]
    wanted = {key: shown[key] for key in ("family", "networkMode", "containerDefinitions", "executionRoleArn")}
    assert may("ecs", "register_task_definition", **wanted) is None
    assert may("ecs", "register_task_definition", **{**wanted, "taskRoleArn": DEPLOY}) == "AccessDeniedException"
    assert may("ecs", "register_task_definition", **{**wanted, "family": "other"}) == "AccessDeniedException"


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


def test_a_lease_is_taken_renewed_and_given_back_by_its_holder_alone(account, may, job):
    lease = {"Bucket": BUCKET, "Key": "lease.json"}
    first = account("s3", "put_object", job, **lease, Body="mine", IfNoneMatch="*")["ETag"]
    assert may("s3", "put_object", **lease, Body="yours", IfNoneMatch="*") == "PreconditionFailed"
    second = account("s3", "put_object", job, **lease, Body="still mine", IfMatch=first)["ETag"]
    assert may("s3", "put_object", **lease, Body="yours", IfMatch=first) == "PreconditionFailed"
    assert may("s3", "delete_object", **lease, IfMatch=first) == "PreconditionFailed"
    assert may("s3", "delete_object", **lease, IfMatch=second) is None
    versions = account("s3", "list_object_versions", Bucket=BUCKET, Prefix="lease.json")
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
    docker("login", "--username=AWS", "--password-stdin", aws.registry, feed=base64.b64decode(given).decode()[4:])
    try:
        docker("pull", name)
        docker("tag", name, f"{aws.registry}/site:mine")
        with pytest.raises(AssertionError, match=r"not authorized to perform: ecr|denied"):
            docker("push", f"{aws.registry}/site:mine")
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


def test_scans_of_images_are_complete_where_they_are_asked_for(aws, service):
    aws(
        "ecr",
        "put_image_scanning_configuration",
        repositoryName="site",
        imageScanningConfiguration={"scanOnPush": True},
    )
    answer = aws("ecr", "describe_image_scan_findings", repositoryName="site", imageId={"imageTag": "good"})
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert answer["imageScanFindings"]["findings"] == []
    with pytest.raises(CallError, match="ImageNotFoundException"):
        aws("ecr", "describe_image_scan_findings", repositoryName="site", imageId={"imageTag": "none"})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    put = aws(
        "ecr",
        "put_image",
        repositoryName="site",
        imageManifest=json.dumps(index),
        imageManifestMediaType=index["mediaType"],
        imageTag="index",
    )["image"]["imageId"]
    with pytest.raises(CallError, match="ScanNotFoundException"):
        aws("ecr", "describe_image_scan_findings", repositoryName="site", imageId=put)
    aws("ecr", "batch_delete_image", repositoryName="site", imageIds=[put])

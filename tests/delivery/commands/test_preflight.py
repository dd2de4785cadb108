"""Each check of the preflight fails for the error that it is for, and all checks run."""

import functools
import json

import pytest

from delivery.aws.ecs import checks
from delivery.deployment import release_checks
from delivery.deployment.outcomes import Outcome
from tests.delivery.aws.fake_cli import Broken, Fault
from tests.delivery.aws.resources import ALARM, DATABASE_URL, GROUP, NEXT_USER, OWNER, SITE_USER, instance

CHECKS = [*release_checks.CHECKS, "scan", *checks.NAMES]


@pytest.fixture
def check(deliver):
    return functools.partial(deliver, "preflight")


@pytest.fixture
def in_a_job(monkeypatch):
    def begin(branch="master", protected="true"):
        of = {"CI": "true", "CI_COMMIT_BRANCH": branch, "CI_COMMIT_REF_PROTECTED": protected}
        for name, value in (of | {"AWS_ID_TOKEN": "a fake token", "AWS_ROLE_ARN": "arn:fake"}).items():
            monkeypatch.setenv(name, value)

    return begin


def line(output, name):
    """Return the line of a check."""
    return next(line for line in output.splitlines() if line[9:].startswith(f"{name}: "))


def test_when_nothing_stands_in_the_way_each_check_is_a_line(check, aws, commits):
    result = check()
    assert result.exit_code == 0
    for name in CHECKS:
        assert line(result.output, name).startswith("ok")


def test_it_changes_nothing(check, aws, commits):
    check()
    assert not [call for call in aws.operations if call.split()[1].startswith(("put", "update", "run", "register"))]


CRITICAL = {"name": "CVE-2099-0001", "severity": "CRITICAL"}
PARAMETER = {"name": "X", "valueFrom": "/a/parameter"}
FULL = instance(2048, 4096, tasks=2)  # of a kind that takes three network interfaces


def move(aws):
    """Have the site listen on another port than the load balancer speaks to."""
    aws.containers()["edge"]["portMappings"][0]["containerPort"] = 9000


def fill(aws):
    """Leave no room, and no scaling that would make some."""
    aws.scaling = "DISABLED"
    aws.instances.clear()


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("cluster", lambda aws: setattr(aws, "cluster_status", "INACTIVE"), "The cluster colophon is INACTIVE."),
        ("service", lambda aws: setattr(aws, "service_status", "DRAINING"), "The service is DRAINING."),
        ("service", lambda aws: setattr(aws, "service_status", "INACTIVE"), "There is no service."),
        ("service", lambda aws: setattr(aws, "breaker", {"enable": True, "rollback": False}), "circuit breaker is off"),
        ("deployments", lambda aws: aws.deploy(aws.service_definition), "Another deployment is under way, PENDING"),
        ("image", lambda aws: aws.images.clear(), "The registry has no image of"),
        ("image", lambda aws: setattr(aws, "media_type", "application/vnd.oci.image.index.v1+json"), "is no image but"),
        ("image", lambda aws: setattr(aws, "media_type", None), "is no image but of an unknown type"),
        ("scan", lambda aws: aws.findings.append(CRITICAL), "found CVE-2099-0001, of critical severity"),
        (
            "roles",
            lambda aws: aws.fail("iam", "get-role", Fault("NoSuchEntity")),
            "colophon-task-eu-central-1 is not there.",
        ),
        (
            "containers",
            lambda aws: aws.definitions.pop(aws.preparing["taskDefinitionArn"]),
            "No task definition colophon-p",
        ),
        ("roles", lambda aws: aws.preparing.pop("executionRoleArn"), "colophon-prepare:1 has no executionRoleArn."),
        ("secrets", lambda aws: aws.secrets.pop(SITE_USER), f"{SITE_USER} is not there."),
        ("secrets", lambda aws: aws.secrets.pop(NEXT_USER), f"{NEXT_USER} is not there."),
        ("secrets", lambda aws: aws.secrets[OWNER].update(DeletedDate=1.0), f"{OWNER} is being deleted."),
        ("secrets", lambda aws: aws.parameters.pop(DATABASE_URL), f"{DATABASE_URL} is not there."),
        ("target group", move, "Visitors are sent to port 8000 of edge, which has [9000]."),
        ("target group", lambda aws: aws.group.update(TargetType="instance"), "takes targets by instance"),
        ("target group", lambda aws: aws.group.update(HealthCheckPort="9000"), "checks port 9000"),
        ("log group", lambda aws: aws.log_groups.clear(), "The log group /colophon/site does not exist"),
        ("capacity", fill, "No instance has 512"),
        ("address", lambda aws: aws.parameters.pop("/colophon/site-url"), "does not say where the site is"),
    ],
)
def test_what_would_go_wrong_is_refused(check, aws, commits, name, spoil, said):
    spoil(aws)
    result = check()
    assert result.exit_code == Outcome.REFUSED.code
    assert line(result.output, name).startswith("refused")
    assert said in line(result.output, name)


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("capacity", lambda aws: setattr(aws, "instances", [instance(100, 4096)]), "ECS will start one"),
        ("capacity", lambda aws: setattr(aws, "instances", [FULL]), "and a network interface,"),
        (
            "alarms",
            lambda aws: aws.alarms.update({ALARM: "ALARM"}),
            f"as these are on: {ALARM}",
        ),
        ("alarms", lambda aws: aws.alarms.clear(), f"not there: {ALARM};"),
        ("secrets", lambda aws: aws.containers()["site"]["secrets"].append(PARAMETER), "/a/parameter: not in"),
        ("target group", lambda aws: aws.group.update(HealthCheckPath="/healthz"), "checks /healthz"),
        ("commit", lambda aws: next(iter(aws.images.values()))["tags"].clear(), "does not tell which commit runs"),
    ],
)
def test_what_cannot_be_told_is_a_warning(check, aws, commits, name, spoil, said):
    spoil(aws)
    result = check()
    assert result.exit_code == 0
    assert line(result.output, name).startswith("warning")
    assert said in line(result.output, name)


UNKNOWN = [None, "UNSUPPORTED_IMAGE", "FAILED", "LIMIT_EXCEEDED", "SCAN_ELIGIBILITY_EXPIRED", "IN_PROGRESS", "NEW"]


@pytest.fixture(params=UNKNOWN)
def unknown(request, aws):
    """A registry that does not say what it thinks of an image: why, in its words."""
    aws.scan = {"status": request.param} if request.param else None
    return request.param or "not scanned"


def built(root, **image):
    """Leave what a job leaves that has built, scanned and pushed an image."""
    (root / "build").mkdir(exist_ok=True)
    (root / "build/image.json").write_text(json.dumps(image))


def test_an_unscanned_image_is_refused(check, aws, commits, unknown):
    result = check()
    assert result.exit_code == Outcome.REFUSED.code
    assert line(result.output, "scan").startswith("refused")
    assert f"the registry's is {unknown}" in line(result.output, "scan")


def test_the_build_s_own_scan_of_this_very_image_will_do(check, aws, commits, unknown, root):
    built(root, digest=aws.digest(commits.new), scan="passed")
    result = check()
    assert result.exit_code == 0
    assert line(result.output, "scan").startswith("warning")


@pytest.mark.parametrize("image", [{"scan": "not run"}, {"scan": "failed"}, {"scan": "passed", "digest": "sha256:0"}])
def test_no_other_scan_will_do(check, aws, commits, root, image):
    aws.scan = None
    built(root, **{"digest": aws.digest(commits.new)} | image)
    assert check().exit_code == Outcome.REFUSED.code


def test_a_release_that_the_registry_has_forgotten_about_can_be_gone_back_to(deliver, deploy, aws, commits):
    deploy("--force", "--commit", commits.old)
    deploy()
    aws.scan = None
    aws.media_type = "application/vnd.oci.image.index.v1+json"
    result = deliver("rollback", "--yes")
    assert result.exit_code == 0
    assert line(result.output, "scan").startswith("warning")


def test_the_scan_is_waited_for(check, aws, commits, monkeypatch):
    monkeypatch.setenv("DELIVERY_SCAN_TIMEOUT", "60")
    aws.scan = {"status": "PENDING"}
    done = lambda: setattr(aws, "scan", {"status": "COMPLETE"})  # noqa: E731 -- a hook
    aws.at("ecr", "describe-image-scan-findings", lambda: None, done)
    assert line(check().output, "scan") == "ok       scan: nothing found"


def test_a_finding_that_is_granted_is_no_reason(check, aws, commits, monkeypatch, tmp_path):
    granted = tmp_path / "exceptions.yaml"
    granted.write_text("vulnerabilities:\n  - {id: CVE-2099-0001, statement: Not used., expired_at: 2199-01-01}\n")
    monkeypatch.setattr("delivery.release.trivy.EXCEPTIONS", granted)
    aws.findings.append({"name": "CVE-2099-0001", "severity": "CRITICAL"})
    assert check().exit_code == 0


def test_an_exception_grants_no_other_finding(check, aws, commits, monkeypatch, tmp_path):
    granted = tmp_path / "exceptions.yaml"
    granted.write_text("vulnerabilities:\n  - {id: CVE-2099-0001, statement: Not used., expired_at: 2199-01-01}\n")
    monkeypatch.setattr("delivery.release.trivy.EXCEPTIONS", granted)
    aws.findings += [{"name": f"CVE-2099-000{number}", "severity": "CRITICAL"} for number in (1, 2)]
    assert "found CVE-2099-0002, of critical severity" in line(check().output, "scan")


def test_findings_that_are_not_critical_are_counted(check, aws, commits):
    aws.findings += [{"name": "CVE-2099-0002", "severity": "HIGH"}, {"name": "CVE-2099-0003", "severity": "LOW"}]
    assert line(check().output, "scan") == "ok       scan: 1 high, 1 low"


def test_a_call_that_is_not_allowed_is_a_refusal_that_names_it(check, aws, commits):
    aws.fail(
        "logs",
        "describe-log-groups",
        Fault("AccessDeniedException", "not authorized to perform: logs:DescribeLogGroups"),
    )
    result = check()
    assert result.exit_code == Outcome.REFUSED.code
    assert "These credentials do not allow logs:DescribeLogGroups." in line(result.output, "log group")
    assert line(result.output, "capacity").startswith("ok")


def test_an_older_commit_is_refused(check, aws, commits, git):
    aws.run(commits.new)
    git("switch", "--quiet", "--create", "here", commits.new)
    git("branch", "--force", "master")
    git("switch", "--quiet", "master")
    result = check("--commit", commits.old)
    assert result.exit_code == Outcome.REFUSED.code
    assert f"{commits.old[:12]} is older than {commits.new[:12]}" in line(result.output, "commit")
    assert check("--commit", commits.old, "--allow-older").exit_code == 0


def test_a_commit_of_a_line_that_parted_is_refused(check, aws, commits, git):
    git("reset", "--quiet", "--hard", commits.old)
    git("commit", "--allow-empty", "--message=Another way")
    other = git("rev-parse", "HEAD")
    aws.run(commits.new)
    aws.push(other)
    result = check()
    assert result.exit_code == Outcome.REFUSED.code
    assert "have diverged" in line(result.output, "commit")


def test_by_hand_another_branch_is_refused(check, aws, commits, git):
    git("switch", "--quiet", "--create", "feature")
    result = check()
    assert result.exit_code == Outcome.REFUSED.code
    assert "feature is checked out, and only master is released" in line(result.output, "branch")


@pytest.mark.parametrize(
    ("branch", "protected", "said"),
    [
        ("feature", "true", "This pipeline runs for feature"),
        ("master-2", "true", "This pipeline runs for master-2"),
        ("", "true", "This pipeline runs for no branch"),
        ("master", "false", "master is not protected"),
    ],
)
def test_in_a_pipeline_only_the_protected_master_goes_on(check, commits, in_a_job, branch, protected, said):
    in_a_job(branch, protected)
    result = check()
    assert result.exit_code == Outcome.REFUSED.code
    assert said in line(result.output, "branch")


def test_in_a_pipeline_of_the_protected_master_it_does(check, commits, in_a_job):
    in_a_job()
    assert check().exit_code == 0


def test_a_job_of_an_older_pipeline_that_is_run_again_is_refused_and_names_the_job_that_goes_back(
    deploy, aws, commits, in_a_job
):
    """GitLab's buttons *Re-deploy* and *Rollback* do this."""
    aws.run(commits.new)
    in_a_job()
    result = deploy("--commit", commits.old)
    assert result.exit_code == Outcome.REFUSED.code
    assert "to go back on purpose, the job `rollback` of the newest pipeline of that branch" in result.output
    assert "ecs update-service" not in aws.operations


def unreachable(aws, *operations):
    lost = Broken("Could not connect to the endpoint URL: https://elsewhere.example.org/")
    for service, operation in operations:
        aws.fail(service, operation, *[lost] * 9)


@pytest.mark.parametrize(
    "operation",
    [("sts", "get-caller-identity"), ("s3api", "get-object"), ("ecs", "describe-clusters"), ("ecr", "describe-images")],
)
def test_when_aws_does_not_answer_and_nothing_was_changed_the_code_says_to_try_again(deploy, aws, commits, operation):
    unreachable(aws, operation)
    result = deploy()
    assert result.exit_code == Outcome.UNAVAILABLE.code, result.output
    assert "AWS cannot be reached" in result.output


def test_when_another_check_says_no_it_does_not(deploy, aws, commits):
    unreachable(aws, ("ecs", "describe-clusters"))
    aws.fail("logs", "describe-log-groups", Fault("AccessDeniedException"))
    assert deploy().exit_code == Outcome.REFUSED.code


def test_another_image_than_the_pipeline_pushed_is_refused(deploy, aws, commits, monkeypatch):
    monkeypatch.setenv("IMAGE", f"somewhere/colophon@sha256:{'0' * 64}")
    result = deploy()
    assert result.exit_code == Outcome.REFUSED.code
    assert f"and not sha256:{'0' * 64}, which was pushed" in result.output


def test_the_target_group_that_is_checked_is_the_services_own(check, aws, commits):
    check()
    call = next(words for words in aws.program.calls if words[:2] == ["elbv2", "describe-target-groups"])
    assert GROUP in call

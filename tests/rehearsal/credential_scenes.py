"""The scenes of credentials: tokens of other jobs, and the other sources that a pipeline may have."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from delivery.aws.credentials import KEYS
from delivery.deployment.outcomes import Outcome
from tests.emulator import REGION
from tests.instance_metadata import InstanceMetadata

from .clone import token
from .stage import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .command import Ended
    from .stage import Stage

NO_ROLE = "does not let this pipeline assume the role"


def with_a_token(role: str = "deploy", **of: Any) -> Callable[[Stage], Ended]:
    """Return a scene in which a job deploys with another token than master's for that role."""

    def play(stage: Stage) -> Ended:
        return stage.again(job_token=token(stage.account.role(role), **of))

    return play


@contextmanager
def with_credentials(stage: Stage, source: str) -> Iterator[None]:
    """Have the environment's credentials come from another source."""
    file = stage.clone.folder / "delivery.toml"
    before = file.read_text()
    file.write_text(before.replace("[production]\n", f'[production]\ncredentials = "{source}"\n'))
    try:
        yield
    finally:
        file.write_text(before)


def the_role_of_an_instance(stage: Stage) -> Ended:
    """Trust the protected runner's EC2 instance and no token: one is refused, and a job without one deploys."""
    account, runner = stage.account, f"colophon-runner-{REGION}"
    account.make_stack("delivery", "delivery.Trust=runner")
    try:
        refused = stage.again()
        assert NO_ROLE in (refused.diagnosis or ""), "a token still opened the role"
        service = InstanceMetadata(runner, account.as_ec2(runner))
        try:
            with with_credentials(stage, "instance"):
                ended = stage.again("--force", **service.variables)
        finally:
            service.close()
    finally:
        account.make_stack("delivery")
    assert "Credentials: the role of the EC2 instance that the runner is on, arn:" in ended.said
    return ended


def no_role_on_the_instance(stage: Stage) -> Ended:
    nowhere = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}
    with with_credentials(stage, "instance"):
        return stage.again(**nowhere)


def keys_in_the_variables(stage: Stage) -> Ended:
    """Deploy with short-lived keys of the deploy role, which something else gave the job."""
    job = stage.clone.job("deploy")
    assumed = {"RoleArn": job["AWS_ROLE_ARN"], "WebIdentityToken": job["AWS_ID_TOKEN"], "RoleSessionName": "keys"}
    keys = stage.account.aws("sts", "assume_role_with_web_identity", **assumed)["Credentials"]
    given = dict(zip(KEYS, (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]), strict=True))
    with with_credentials(stage, "environment"):
        ended = stage.again(**given)
    assert f"assumed-role/colophon-deploy-{REGION}/keys." in ended.said
    return ended


SCENES = (
    Scene("token of another branch", with_a_token(branch="feature/covers"), Outcome.REFUSED, NO_ROLE, short=True),
    Scene("token of another project", with_a_token(project="another/project"), Outcome.REFUSED, NO_ROLE),
    Scene("token of another role", with_a_token("push"), Outcome.REFUSED, NO_ROLE),
    Scene("expired token", with_a_token(lasts=-60), Outcome.REFUSED, "has expired"),
    Scene("role of an instance", the_role_of_an_instance, Outcome.LIVE, short=True),
    Scene("no role on the instance", no_role_on_the_instance, Outcome.REFUSED, "and none is there"),
    Scene("keys in the variables", keys_in_the_variables, Outcome.LIVE),
)

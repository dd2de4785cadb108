"""A job of GitLab CI: https://docs.gitlab.com/ci/variables/predefined_variables/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.deployment.seam import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping


class GitLab(Pipeline):
    """A job, by its variables. An image that an earlier job pushed comes as IMAGE, from build/image.env."""

    automatic = True
    protect = "protect it in GitLab's settings: Repository, Protected branches (ecs/README.md)."
    back = "the job `rollback` of the newest pipeline of that branch: press it there"
    engine = (
        "this looks like a hosted runner, which has none for jobs: in GitLab's settings, CI/CD, Runners, turn instance "
        "runners off, so that the project's own take its jobs (delivery/runner/README.md)"
    )

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.commit = variables.get("CI_COMMIT_SHA")
        self.branch = variables.get("CI_COMMIT_BRANCH")
        # GitLab checks out a commit, not its branch.
        self.ref = variables.get("CI_COMMIT_REF_NAME")
        self.protected = variables.get("CI_COMMIT_REF_PROTECTED") == "true"
        self.url = variables.get("CI_PIPELINE_URL")
        self.began = variables.get("CI_PIPELINE_CREATED_AT")
        self.job = f"job-{variables.get('CI_JOB_ID', '0')}"
        self.job_url = variables.get("CI_JOB_URL")
        self.user = f"{variables.get('GITLAB_USER_LOGIN', 'a pipeline')} by {self.job_url or self.job}"
        self.pushed_image = variables.get("IMAGE")
        self.identity_token = variables.get("AWS_ID_TOKEN")

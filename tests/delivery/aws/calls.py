"""The calls to AWS that the delivery makes, as the aws CLI names them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Each role in ecs/delivery.yml must allow these, and no more.
DEPLOY = {
    "cloudwatch describe-alarms",
    "ec2 describe-instance-types",
    "ecr batch-get-image",
    "ecr describe-image-scan-findings",
    "ecr describe-images",
    "ecr put-image",
    "ecs describe-capacity-providers",
    "ecs describe-clusters",
    "ecs describe-container-instances",
    "ecs describe-service-deployments",
    "ecs describe-service-revisions",
    "ecs describe-services",
    "ecs describe-task-definition",
    "ecs describe-tasks",
    "ecs list-container-instances",
    "ecs list-service-deployments",
    "ecs list-tasks",
    "ecs register-task-definition",
    "ecs run-task",
    "ecs stop-service-deployment",
    "ecs stop-task",
    "ecs update-service",
    "elbv2 describe-target-groups",
    "elbv2 describe-target-health",
    "iam get-role",
    "logs describe-log-groups",
    "logs get-log-events",
    "s3api get-object",
    "s3api list-objects-v2",
    "s3api put-object",
    "secretsmanager describe-secret",
    "ssm get-parameter",
    "ssm put-parameter",
    "sts get-caller-identity",
}
# Docker's own requests to the registry come on top of these.
PUSH = {"ecr batch-get-image", "ecr describe-images", "ecr describe-repositories", "sts get-caller-identity"}
# An administrator's, who rotates the site's password; no role of the pipeline may read it.
ROTATE = {"secretsmanager get-secret-value", "secretsmanager put-secret-value"}


def calls_in(sources: Iterable[Path]) -> set[str]:
    """Return the calls that stand in sources. One without its service is CloudFormation's (delivery/aws/stacks)."""
    found = set()
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("call", "request") and node.args:
                first = node.args[0]
                given = first.value.elts if isinstance(first, ast.Starred) else node.args  # type: ignore[attr-defined]
                words = [str(each.value) for each in given[:2] if isinstance(each, ast.Constant)]
                if words not in ([], ["cloudformation"]):
                    found.add(" ".join(words if len(words) == 2 else ["cloudformation", *words]))
    return found

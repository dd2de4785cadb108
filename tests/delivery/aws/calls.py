"""The calls to AWS that the delivery makes, as the aws CLI names them."""

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

"""CloudFormation: the stacks of ecs/."""

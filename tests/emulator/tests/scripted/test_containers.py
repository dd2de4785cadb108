"""A service whose tasks have two containers, of which the load balancer reaches the one that the service names."""

import json
import urllib.request

from tests.emulator import until

COMMIT = "c0ffee" * 6 + "c0ff"


def after(name, condition):
    return [{"containerName": name, "condition": condition}]


def role(aws):
    """Return the ARN of an execution role that may pull images."""
    made = aws("iam", "create_role", RoleName="two", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]}
    aws("iam", "put_role_policy", RoleName="two", PolicyName="pull", PolicyDocument=json.dumps(may))
    return made


def test_a_site_behind_an_edge_is_reached_at_the_port_of_the_edge_and_a_command_without_one_ends(aws, push):
    own = {"image": f"{aws.registry}/site@{push('two', COMMIT)}", "memory": 64, "essential": True}
    edge = {"name": "edge", "command": ["edge"], "portMappings": [{"containerPort": 8000}], **own}
    edge |= {"dependsOn": after("done", "SUCCESS"), "healthCheck": {"command": ["CMD", "true"]}}
    site = {"name": "site", "dependsOn": after("edge", "HEALTHY"), **own}
    done = {**own, "name": "done", "command": ["done"], "essential": False}
    containers = [site, edge, done]
    definition = {"family": "two", "networkMode": "awsvpc", "executionRoleArn": role(aws)}
    aws("ecs", "register_task_definition", **definition, containerDefinitions=containers)
    balancer = aws("elbv2", "create_load_balancer", Name="two", Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][0]
    http = {"Protocol": "HTTP", "Port": 8000, "VpcId": "vpc-1", "TargetType": "ip", "HealthCheckIntervalSeconds": 5}
    group = aws("elbv2", "create_target_group", Name="two", **http)["TargetGroups"][0]["TargetGroupArn"]
    forward = {"DefaultActions": [{"Type": "forward", "TargetGroupArn": group}], "Protocol": "HTTP", "Port": 80}
    aws("elbv2", "create_listener", LoadBalancerArn=balancer["LoadBalancerArn"], **forward)
    reached = [{"targetGroupArn": group, "containerName": "edge", "containerPort": 8000}]
    service = {"cluster": "site", "serviceName": "two", "taskDefinition": "two", "desiredCount": 1}
    aws("ecs", "create_service", loadBalancers=reached, **service)

    def ended():
        deployment = aws("ecs", "describe_services", cluster="site", services=["two"])["services"][0]["deployments"][0]
        return deployment if deployment["rolloutState"] == "COMPLETED" or deployment["failedTasks"] else None

    assert until(ended)["failedTasks"] == 0
    arns = aws("ecs", "list_tasks", cluster="site", serviceName="two")["taskArns"]
    containers = aws("ecs", "describe_tasks", cluster="site", tasks=arns)["tasks"][0]["containers"]
    states = {each["name"]: each["lastStatus"] for each in containers}
    assert states == {"edge": "RUNNING", "site": "RUNNING", "done": "STOPPED"}
    with urllib.request.urlopen(f"http://{balancer['DNSName']}/release.json", timeout=10) as answer:
        assert json.load(answer)["commit"] == COMMIT
    aws("ecs", "delete_service", cluster="site", service="two", force=True)

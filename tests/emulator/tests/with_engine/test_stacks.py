"""Stacks with the resource types that the emulator adds, made, changed and deleted by the real command."""

import json

import pytest

from tests.emulator import REGION, CallError, until
from tests.emulator.tests.with_engine.service import policy

TEMPLATE = """
Parameters:
  Image: {Type: String}
  Count: {Type: String, Default: "0"}
  Late: {Type: String, Default: good}
  Ami: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/ecs/optimized-ami/any}
Conditions:
  Counted: !Not [!Equals [!Ref Count, ""]]
  Fails: !Equals [!Ref Late, bad]
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.7.0.0/16}}
  Address: {Type: AWS::EC2::EIP}
  Gateway: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: !GetAtt Address.AllocationId, SubnetId: subnet-1}}
  Provider: {Type: AWS::IAM::OIDCProvider, Properties: {Url: "https://ci.example.com/gitlab", ClientIdList: [aws]}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {InstanceType: t3.small, ImageId: !Ref Ami}}
  Instances:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {MinSize: "1", MaxSize: "2", LaunchTemplate: {
      LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}}
  Capacity:
    Type: AWS::ECS::CapacityProvider
    Properties: {Name: stacked, AutoScalingGroupProvider: {AutoScalingGroupArn: !Ref Instances}}
  Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: stacked}}
  Capacities:
    Type: AWS::ECS::ClusterCapacityProviderAssociations
    Properties: {Cluster: !Ref Cluster, CapacityProviders: [!Ref Capacity], DefaultCapacityProviderStrategy: [
      {CapacityProvider: !Ref Capacity, Weight: 1}]}
  Database:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: postgres, MasterUsername: books, DBInstanceClass: db.t4g.micro,
      MasterUserPassword: !Sub "{{resolve:secretsmanager:${Secret.Id}:SecretString:password}}"}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: books, GenerateSecretString: {
      SecretStringTemplate: '{"username": "books"}', GenerateStringKey: password}}
  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Subnets: [subnet-1, subnet-2]}}
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      {Port: 8000, Protocol: HTTP, TargetType: ip, VpcId: !Ref Vpc, HealthCheckPath: /readyz, TargetGroupAttributes: [
        {Key: deregistration_delay.timeout_seconds, Value: "10"}]}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties: {LoadBalancerArn: !Ref Balancer, Port: 80, Protocol: HTTP, DefaultActions: [
      {Type: forward, TargetGroupArn: !Ref Group}]}
  Definition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: stacked
      NetworkMode: awsvpc
      ExecutionRoleArn: arn:aws:iam::123456789012:role/execution
      ContainerDefinitions:
        - Name: site
          Image: !Ref Image
          Memory: "64"
          StopTimeout: "2"
          PortMappings: [{ContainerPort: "8000"}]
          LinuxParameters: {Capabilities: {Drop: [ALL]}}
          HealthCheck: {Command: [CMD, "true"], Interval: "5"}
          DockerLabels: {Kept: AsItIs}
          Secrets: [{Name: PGPASSWORD, ValueFrom: !Sub "${Secret.Id}:password::"}]
  Service:
    Type: AWS::ECS::Service
    DependsOn: [Listener, Capacities]
    Properties:
      {ServiceName: stacked, Cluster: !Ref Cluster, TaskDefinition: !Ref Definition,
      DesiredCount: !If [Counted, !Ref Count, !Ref AWS::NoValue],
      HealthCheckGracePeriodSeconds: 30, PlacementStrategies: [{Type: binpack, Field: memory}],
      LoadBalancers: [{ContainerName: site, ContainerPort: 8000, TargetGroupArn: !Ref Group}],
      DeploymentConfiguration: {DeploymentCircuitBreaker: {
        Enable: true, Rollback: true, ThresholdConfiguration: {Type: COUNT, Value: 1}}}}
  Late: {Type: AWS::SSM::Parameter, Condition: Fails, DependsOn: Service, Properties: {
    Name: /ssm-is-not-allowed, Type: String, Value: anything}}
Outputs:
  Network: {Value: !GetAtt Vpc.CidrBlock}
  Address: {Value: !GetAtt Balancer.DNSName}
  Secret: {Value: !GetAtt Secret.Id}
  Provider: {Value: !Ref Provider}
  Ami: {Value: !Ref Ami}
"""


@pytest.fixture(scope="module")
def deploy(aws, service, tmp_path_factory):
    """Create the stack or change it, by `aws cloudformation deploy`."""
    path = tmp_path_factory.mktemp("stack") / "stack.yml"
    path.write_text(TEMPLATE)

    def run(**parameters):
        overrides = [f"{key}={value}" for key, value in parameters.items()]
        command = f"cloudformation deploy --stack-name=stacked --template-file={path} --no-fail-on-empty-changeset"
        aws.cli(command, "--parameter-overrides", *overrides)
        (stack,) = aws("cloudformation", "describe_stacks", StackName="stacked")["Stacks"]
        return stack["StackStatus"], {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    return run


@pytest.fixture(scope="module")
def made(deploy, service):
    return deploy(Image=service.image("good"))


def shown(aws):
    return aws("ecs", "describe_services", cluster="stacked", services=["stacked"])["services"][0]


def test_a_stack_of_such_types_is_made(made, aws):
    status, outputs = made
    assert status == "CREATE_COMPLETE"
    assert outputs["Network"] == "10.7.0.0/16"
    assert f"http://{outputs['Address']}" in aws.state()["load_balancers"].values()
    assert outputs["Provider"] == "arn:aws:iam::123456789012:oidc-provider/ci.example.com/gitlab"
    assert outputs["Ami"].startswith("ami-")


def test_a_service_of_a_stack_follows_its_template(made, aws):
    service = shown(aws)
    assert service["desiredCount"] == 0
    assert service["healthCheckGracePeriodSeconds"] == 30
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "stacked", "weight": 1}]
    assert service["placementStrategy"] == [{"type": "binpack", "field": "memory"}]
    breaker = service["deploymentConfiguration"]["deploymentCircuitBreaker"]
    assert breaker["thresholdConfiguration"] == {"type": "COUNT", "value": 1}


def test_a_task_definition_of_a_stack_can_be_registered_again_as_it_is_described(made, aws):
    definition = aws("ecs", "describe_task_definition", taskDefinition="stacked")["taskDefinition"]
    container = definition["containerDefinitions"][0]
    assert container["memory"] == 64
    assert container["healthCheck"]["command"] == ["CMD", "true"]
    assert container["dockerLabels"] == {"Kept": "AsItIs"}
    wanted = json.dumps({key: definition[key] for key in ("family", "networkMode", "containerDefinitions")})
    assert aws.cli("ecs register-task-definition --cli-input-json", wanted)["taskDefinition"]["revision"] == 2


def test_a_password_is_made_by_the_stack(made, aws):
    secret = json.loads(aws("secretsmanager", "get_secret_value", SecretId=made[1]["Secret"])["SecretString"])
    assert secret["username"] == "books"
    assert len(secret["password"]) > 16


def test_a_cluster_has_the_instances_of_its_group(made, aws):
    arns = aws("ecs", "list_container_instances", cluster="stacked")["containerInstanceArns"]
    described = aws("ecs", "describe_container_instances", cluster="stacked", containerInstances=arns)
    (instance,) = described["containerInstances"]
    assert {r["name"]: r["integerValue"] for r in instance["registeredResources"]}["MEMORY"] == 1925


def test_a_stack_waits_for_its_service_and_capacity_grows_for_it(made, deploy, service, aws):
    allowed = policy((["secretsmanager:GetSecretValue"], made[1]["Secret"]))
    aws("iam", "put_role_policy", RoleName="execution", PolicyName="stacked", PolicyDocument=allowed)
    assert deploy(Image=service.image("good"), Count=2)[0] == "UPDATE_COMPLETE"
    assert shown(aws)["runningCount"] == 2
    assert deploy(Image=service.image("better"), Count=2)[0] == "UPDATE_COMPLETE"
    assert len(aws("ecs", "list_container_instances", cluster="stacked")["containerInstanceArns"]) == 2
    assert len(shown(aws)["deployments"]) == 1


def test_a_stack_whose_service_does_not_come_up_goes_back(made, deploy, service, aws):
    deploy(Image=service.image("better"), Count=1)
    with pytest.raises(CallError, match="Failed to create/update the stack"):
        deploy(Image=service.image("exits", EXIT="3"), Count=1)
    (stack,) = aws("cloudformation", "describe_stacks", StackName="stacked")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    until(lambda: shown(aws)["deployments"][0]["rolloutState"] == "COMPLETED")
    events = aws("cloudformation", "describe_stack_events", StackName="stacked")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("ECS Deployment Circuit Breaker was triggered" in reason for reason in reasons)


@pytest.fixture
def drifted(made, deploy, service, aws):
    """The service, of which the stack knows no task, and which was told from elsewhere to run two of another image."""
    for image in ("better", "good"):
        deploy(Image=service.image(image), Count=0)
    definition = aws("ecs", "describe_task_definition", taskDefinition="stacked")["taskDefinition"]
    known = {name: definition[name] for name in ("family", "networkMode", "executionRoleArn", "containerDefinitions")}
    known["containerDefinitions"][0]["image"] = service.image("better")
    revision = aws("ecs", "register_task_definition", **known)["taskDefinition"]["taskDefinitionArn"]
    aws("ecs", "update_service", cluster="stacked", service="stacked", taskDefinition=revision, desiredCount=2)
    until(lambda: shown(aws)["deployments"][0]["rolloutState"] == "COMPLETED")
    return revision


def change(aws, tmp_path, mode, **parameters):
    """Make a change set and carry it out. Return the stack's state in the end."""
    (tmp_path / "stack.yml").write_text(TEMPLATE)
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    named = f"--stack-name=stacked --change-set-name=change-{mode[:1]}{parameters['Late']}"
    template = f"--template-body=file://{tmp_path}/stack.yml"
    aws.cli(f"cloudformation create-change-set {named} {template} {mode}", f"--parameters={json.dumps(given)}")
    aws.cli(f"cloudformation execute-change-set {named}")
    (stack,) = aws("cloudformation", "describe_stacks", StackName="stacked")["Stacks"]
    return stack["StackStatus"]


@pytest.mark.parametrize(("image", "late"), [("exits", "good"), ("good", "bad")], ids=["the service", "one after it"])
def test_a_drift_aware_change_that_fails_leaves_a_service_as_it_was(drifted, service, aws, tmp_path, image, late):
    chosen = {"Image": service.image(image, **({"EXIT": "3"} if image == "exits" else {})), "Count": "", "Late": late}
    assert change(aws, tmp_path, "--deployment-mode=REVERT_DRIFT", **chosen) == "UPDATE_ROLLBACK_COMPLETE"
    until(lambda: shown(aws)["deployments"][0]["rolloutState"] == "COMPLETED")
    assert (shown(aws)["taskDefinition"], shown(aws)["runningCount"]) == (drifted, 2)


def test_another_change_that_fails_gives_it_what_the_stack_last_made_of_it(drifted, service, aws, tmp_path):
    chosen = {"Image": service.image("good"), "Count": "", "Late": "bad"}
    assert change(aws, tmp_path, "", **chosen) == "UPDATE_ROLLBACK_COMPLETE"
    assert shown(aws)["desiredCount"] == 0
    assert shown(aws)["taskDefinition"] != drifted


def test_a_property_that_cloudformation_does_not_know_fails_the_stack(aws):
    planted = "Resources: {Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: planted, ClusterNme: planted}}}"
    aws("cloudformation", "create_stack", StackName="planted", TemplateBody=planted)
    events = until(lambda: _rolled_back(aws, "planted"))
    (reason,) = (event["ResourceStatusReason"] for event in events if event["ResourceStatus"] == "CREATE_FAILED")
    assert reason.startswith("Properties validation failed for resource Cluster with message: #/ClusterNme: ")
    assert "planted" not in str(aws("ecs", "list_clusters")["clusterArns"])


def _rolled_back(aws, name):
    events = aws("cloudformation", "describe_stack_events", StackName=name)["StackEvents"]
    return events if events[0]["ResourceStatus"] == "ROLLBACK_COMPLETE" else None


def test_a_stack_that_is_deleted_leaves_no_task(made, aws):
    aws("cloudformation", "delete_stack", StackName="stacked")
    until(lambda: not _stacks(aws))
    assert "stacked" not in str(aws("ecs", "list_clusters")["clusterArns"])


def _stacks(aws):
    listed = aws("cloudformation", "list_stacks", StackStatusFilter=["DELETE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
    return [stack for stack in listed["StackSummaries"] if stack["StackName"] == "stacked"]


def test_the_region_is_the_one_given_at_the_start(aws):
    assert aws.state()["region"] == REGION

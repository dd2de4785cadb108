"""The instances: started safely, ended without a visitor's noticing."""

import pytest


@pytest.fixture
def cluster(resources):
    return resources("cluster")


def test_an_instance_s_credentials_are_for_the_instance_alone(cluster):
    data = cluster["LaunchTemplate"]["LaunchTemplateData"]
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert "KeyName" not in data


def test_its_disk_is_encrypted_and_goes_with_it(cluster):
    (disk,) = cluster["LaunchTemplate"]["LaunchTemplateData"]["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"]
    assert disk["Ebs"]["DeleteOnTermination"]


def test_its_image_is_the_newest_that_amazon_makes_for_ecs(templates):
    image = templates["cluster"]["Parameters"]["ImageId"]
    assert image["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    assert image["Default"].startswith("/aws/service/ecs/optimized-ami/amazon-linux-2023/")


def test_no_instance_ends_while_tasks_run_on_it(cluster):
    provider = cluster["CapacityProvider"]["AutoScalingGroupProvider"]
    assert provider["ManagedDraining"] == provider["ManagedTerminationProtection"] == "ENABLED"
    assert provider["ManagedScaling"]["Status"] == "ENABLED"
    # ECS refuses the protection otherwise.
    assert cluster["Instances"]["NewInstancesProtectedFromScaleIn"] is True


def test_an_update_of_the_stack_leaves_the_number_of_instances_to_ecs(cluster):
    assert "DesiredCapacity" not in cluster["Instances"]
    assert {"Key": "AmazonECSManaged", "Value": "true", "PropagateAtLaunch": True} in cluster["Instances"]["Tags"]


def test_the_instances_that_are_there_anyway_have_room_for_a_rollout(templates):
    """Two tasks fit on one, by their network interfaces; a rollout runs two sets of them."""
    instances = templates["cluster"]["Parameters"]["MinimumInstances"]["Default"]
    tasks = templates["service"]["Parameters"]["MinimumTasks"]["Default"]
    assert 2 * instances >= 2 * tasks

"""Pages of answers, in each of AWS's protocols, as large as the caller or an awkward AWS wants them."""

import pytest


@pytest.fixture(scope="module")
def three(shared):
    """Three of everything."""
    alarm = {"MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    alarm |= {"ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}
    shared("s3", "create_bucket", Bucket="three", CreateBucketConfiguration={"LocationConstraint": shared.region})
    for name in ("one", "three", "two"):
        shared("iam", "create_user", UserName=name)
        shared("cloudwatch", "put_metric_alarm", AlarmName=name, **alarm)
        shared("ssm", "put_parameter", Name=f"/three/{name}", Value="x", Type="String")
        shared("s3", "put_object", Bucket="three", Key=name, Body="x")
        shared(
            "ecs",
            "register_task_definition",
            family=name,
            containerDefinitions=[{"name": "site", "image": "site", "memory": 64}],
        )


def test_a_page_has_as_many_items_as_were_wanted_and_the_next_begins_where_it_ended(aws, three):
    listing = ("ecs", "list_task_definition_families")
    first = aws(*listing, maxResults=2)
    second = aws(*listing, maxResults=100, nextToken=first["nextToken"])
    assert len(first["families"]) == 2
    assert first["families"] + second["families"] == aws(*listing)["families"]
    assert "nextToken" not in second


@pytest.mark.parametrize(
    ("service", "operation", "items", "more"),
    [
        ("ecs", "list_task_definition_families", "families", "nextToken"),
        ("iam", "list_users", "Users", "Marker"),
        ("ec2", "describe_subnets", "Subnets", "NextToken"),
        ("cloudwatch", "describe_alarms", "MetricAlarms", "NextToken"),
        ("ssm", "describe_parameters", "Parameters", "NextToken"),
    ],
    ids=["JSON", "XML", "XML of EC2", "CBOR", "JSON of SSM"],
)
def test_an_awkward_page_has_one_item_and_says_that_there_are_more(aws, three, service, operation, items, more):
    whole = aws(service, operation)
    assert len(whole[items]) >= 3
    aws.behave("paged")
    page = aws(service, operation)
    assert page[items] == whole[items][:1]
    assert page[more]


@pytest.mark.parametrize(
    "command",
    [
        "ecs list-task-definition-families --query families",
        "iam list-users --query Users[].UserName",
        "cloudwatch describe-alarms --query MetricAlarms[].AlarmName",
        "s3api list-objects-v2 --bucket=three --query Contents[].Key",
    ],
)
def test_the_aws_command_follows_the_pages_to_the_last(aws, three, command):
    whole = aws.cli(command)
    aws.behave("paged")
    assert aws.cli(command) == whole
    assert {"one", "two", "three"} <= set(whole)

"""Other partitions, by their region, and an account whose number begins with 0."""

import base64
import json
import time

import pytest

from tests.emulator import CallError, Emulator

ACCOUNT = "012345678901"


@pytest.fixture(scope="module", params=[("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def elsewhere(installed, request):
    region, partition = request.param
    aws = Emulator("--scripted", region=region, account=ACCOUNT)
    assert aws.partition == partition
    yield aws
    aws.end()


def test_every_arn_is_of_the_partition(elsewhere):
    alarm = {"MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    alarm |= {"ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}
    elsewhere("cloudwatch", "put_metric_alarm", AlarmName="alarm", **alarm)
    arns = [
        elsewhere("sts", "get_caller_identity")["Arn"],
        elsewhere("ecs", "create_cluster", clusterName="site")["cluster"]["clusterArn"],
        elsewhere("iam", "create_user", UserName="someone")["User"]["Arn"],
        elsewhere("cloudwatch", "describe_alarms")["MetricAlarms"][0]["AlarmArn"],
    ]
    prefix = f"arn:{elsewhere.partition}:"
    assert all(arn.startswith(prefix) and f":{ACCOUNT}:" in arn for arn in arns), arns


def test_a_thing_is_found_by_its_arn_and_by_no_other_partitions(elsewhere):
    arn = elsewhere("secretsmanager", "create_secret", Name="secret", SecretString="x")["ARN"]
    assert elsewhere("secretsmanager", "describe_secret", SecretId=arn)["ARN"] == arn
    with pytest.raises(CallError) as refused:
        elsewhere("secretsmanager", "describe_secret", SecretId=arn.replace(elsewhere.partition, "aws"))
    assert refused.value.code == "ResourceNotFoundException"


def test_an_account_keeps_its_zero(elsewhere):
    assert elsewhere("sts", "get_caller_identity")["Account"] == ACCOUNT


def test_a_signature_is_of_the_request_that_was_sent(elsewhere):
    elsewhere("iam", "create_user", UserName="signer")
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    elsewhere("iam", "put_user_policy", UserName="signer", PolicyName="all", PolicyDocument=json.dumps(may))
    key = elsewhere("iam", "create_access_key", UserName="signer")["AccessKey"]
    user, secret = elsewhere("iam", "get_user", UserName="signer")["User"]["Arn"], key["SecretAccessKey"]
    role = {"RoleName": "signed", "AssumeRolePolicyDocument": json.dumps({"Principal": {"AWS": user}})}
    assert elsewhere("iam", "create_role", (key["AccessKeyId"], secret, ""), **role)["Role"]["RoleName"] == "signed"
    with pytest.raises(CallError) as refused:
        elsewhere("iam", "create_role", (key["AccessKeyId"], "not the secret", ""), **role)
    assert refused.value.code == "SignatureDoesNotMatch"


def test_a_token_opens_the_role_that_it_was_made_out_for(elsewhere):
    issuer = "https://gitlab.example.org"
    role = f"arn:{elsewhere.partition}:iam::{ACCOUNT}:role/job"
    made = elsewhere("iam", "create_open_id_connect_provider", Url=issuer, ClientIDList=[role])
    federated = {"Federated": made["OpenIDConnectProviderArn"]}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": federated}
    trust["Condition"] = {"StringEquals": {"gitlab.example.org:aud": role}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    elsewhere("iam", "create_role", RoleName="job", AssumeRolePolicyDocument=document)
    claims = {"iss": issuer, "aud": role, "sub": "a job", "exp": time.time() + 600}
    parts = (json.dumps({"alg": "RS256"}), json.dumps(claims), "no signature")
    token = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    job = {"RoleArn": role, "RoleSessionName": "job", "WebIdentityToken": token}
    assumed = elsewhere("sts", "assume_role_with_web_identity", **job)["AssumedRoleUser"]["Arn"]
    assert assumed == f"arn:{elsewhere.partition}:sts::{ACCOUNT}:assumed-role/job/job"

"""The tasks, and what replaces them."""

import json
import math
import re
import shlex

import psycopg
import pytest

from colophon.settings import Settings
from delivery.environments import ROOT

IMAGE = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/colophon@sha256:{'a' * 64}"


@pytest.fixture
def service(resources):
    return resources("service")


def containers(made, definition="TaskDefinition"):
    """Return the containers of a task definition by their names."""
    return {one["Name"]: one for one in made[definition]["ContainerDefinitions"]}


@pytest.fixture
def container(service):
    return containers(service)["site"]


@pytest.fixture
def edge(service):
    return containers(service)["edge"]


def environment(container):
    return {one["Name"]: one["Value"] for one in container["Environment"]}


def server_setting(name):
    """Return a number of the server's configuration."""
    found = re.search(rf"^{name} = (\d+)$", (ROOT / "src/gunicorn.conf.py").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def edge_setting(name):
    """Return a number of seconds of the edge's configuration, as it is for visitors."""
    (found,) = re.findall(
        rf"^(?:  )?{name} (\d+)s;$", (ROOT / "src/colophon/edge/nginx.conf").read_text(), re.MULTILINE
    )
    return int(found)


def attribute(resource, key):
    (value,) = (one["Value"] for one in resource if one["Key"] == key)
    return int(value)


@pytest.mark.parametrize("name", ["site", "edge"])
def test_both_run_as_an_ordinary_user_in_a_container_that_they_cannot_change(service, name):
    container = containers(service)[name]
    assert container["User"] == "10001"
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert container["DockerSecurityOptions"] == ["no-new-privileges"]
    assert container["LinuxParameters"]["InitProcessEnabled"] is True
    assert not {"Privileged", "MountPoints"} & set(container)


def test_visitors_come_to_the_edge_alone_and_the_edge_to_the_site(service, resources, container, edge):
    group = resources("load-balancer")["TargetGroup"]
    (balancer,) = service["Service"]["LoadBalancers"]
    assert (balancer["ContainerName"], balancer["ContainerPort"]) == ("edge", group["Port"])
    assert edge["Command"] == ["python3", "-m", "colophon", "edge"]
    assert edge["PortMappings"] == [{"ContainerPort": group["Port"], "Protocol": "tcp"}]
    assert environment(edge)["PORT"] == str(group["Port"])
    assert environment(edge)["HOST"] == "0.0.0.0"
    assert "PortMappings" not in container
    assert (environment(container)["HOST"], environment(container)["PORT"]) == ("127.0.0.1", "8001")
    assert environment(edge)["SITE_URL"] == environment(container)["SITE_URL"]


def test_site_and_edge_are_one_release_and_the_edge_stops_first(resources):
    made = containers(resources("service", ReleasedImage=IMAGE))
    assert {one["Image"] for one in made.values()} == {IMAGE}
    assert made["edge"]["DependsOn"] == [{"ContainerName": "site", "Condition": "START"}]
    assert "DependsOn" not in made["site"]
    assert made["site"]["Essential"] is made["edge"]["Essential"] is True


def test_the_edge_knows_nothing_of_the_database(edge):
    assert "Secrets" not in edge
    assert not {name for name in environment(edge) if name.startswith(("PG", "DATABASE"))}


def test_both_fit_into_half_of_a_small_instance_which_takes_two_tasks(service):
    needed = sum(
        int(one["MemoryReservation"]) + one["LinuxParameters"].get("SharedMemorySize", 0)
        for one in containers(service).values()
    )
    assert needed <= 900  # MiB; a t3.small registers some 1,900


def test_what_the_edge_keeps_for_visitors_counts_in_its_limit(edge):
    assert edge["LinuxParameters"]["SharedMemorySize"] == 128
    assert int(edge["Memory"]) >= int(edge["MemoryReservation"]) + edge["LinuxParameters"]["SharedMemorySize"]


@pytest.mark.parametrize(
    ("definition", "name"), [("TaskDefinition", "site"), ("TaskDefinition", "edge"), ("PrepareTaskDefinition", "site")]
)
def test_every_variable_is_one_of_the_site_s_settings_or_libpq_s(resources, definition, name):
    container = containers(resources("service", DatabaseCaBundle="/rds.pem"), definition)[name]
    named = {*environment(container), *(one["Name"] for one in container.get("Secrets", []))}
    libpq = {one.envvar.decode() for one in psycopg.pq.Conninfo.get_defaults() if one.envvar}
    assert named <= {name.upper() for name in Settings.__dataclass_fields__} | libpq


@pytest.mark.parametrize("name", ["site", "edge"])
def test_the_health_check_is_the_image_s_own(service, name):
    text = (ROOT / "src/Dockerfile").read_text()
    found = re.search(r"^HEALTHCHECK (.+?) \\\n  CMD (.+)$", text, re.MULTILINE)
    assert found
    options = dict(option.removeprefix("--").split("=") for option in shlex.split(found[1]))
    assert containers(service)[name]["HealthCheck"] == {
        "Command": ["CMD", *json.loads(found[2])],
        "Interval": int(options["interval"].rstrip("s")),
        "Timeout": int(options["timeout"].rstrip("s")),
        "Retries": int(options["retries"]),
        "StartPeriod": int(options["start-period"].rstrip("s")),
    }


def test_a_task_is_given_the_time_that_the_edge_and_then_the_site_take_to_finish(container, edge, resources):
    assert edge_setting("worker_shutdown_timeout") < edge["StopTimeout"]
    assert server_setting("graceful_timeout") < container["StopTimeout"]
    # In whatever order ECS did the two, the load balancer would be done with a task before the edge is.
    drain = attribute(
        resources("load-balancer")["TargetGroup"]["TargetGroupAttributes"], "deregistration_delay.timeout_seconds"
    )
    assert drain < edge_setting("worker_shutdown_timeout")


def test_the_load_balancer_never_sends_into_a_connection_that_the_edge_just_closed(resources):
    idle = attribute(
        resources("load-balancer")["LoadBalancer"]["LoadBalancerAttributes"], "idle_timeout.timeout_seconds"
    )
    assert idle < edge_setting("keepalive_timeout")


@pytest.mark.parametrize("name", ["site", "edge"])
def test_a_log_that_cannot_be_sent_stops_neither(service, name):
    options = containers(service)[name]["LogConfiguration"]["Options"]
    assert options["mode"] == "non-blocking"
    assert options["awslogs-group"] == "<LogGroup>"
    assert options["awslogs-stream-prefix"] == name
    assert service["LogGroup"] == {"LogGroupName": "/colophon/site", "RetentionInDays": "30"}


@pytest.mark.parametrize("launch", ["EC2", "FARGATE"])
def test_tasks_run_on_what_was_chosen(resources, launch):
    made = resources("service", LaunchType=launch)
    on_fargate = launch == "FARGATE"
    (strategy,) = made["Service"]["CapacityProviderStrategy"]
    assert strategy["CapacityProvider"] == ("FARGATE" if on_fargate else "<import colophon-CapacityProviderName>")
    assert made["TaskDefinition"]["RequiresCompatibilities"] == [launch]
    # What Fargate does not take, and what it asks for.
    assert ("PlacementStrategies" in made["Service"]) is not on_fargate
    for container in containers(made).values():
        for key in ("DockerSecurityOptions", "Memory", "MemoryReservation"):
            assert (key in container) is not on_fargate
    assert ("SharedMemorySize" in containers(made)["edge"]["LinuxParameters"]) is not on_fargate
    assert ("Memory" in made["TaskDefinition"]) is on_fargate


def test_tasks_are_spread_over_the_zones_first(service):
    first, then = service["Service"]["PlacementStrategies"]
    assert first == {"Type": "spread", "Field": "attribute:ecs.availability-zone"}
    assert then == {"Type": "binpack", "Field": "memory"}


def test_visitors_have_as_many_tasks_during_a_rollout_as_before(service):
    deployment = service["Service"]["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)


def test_the_second_failed_task_ends_a_rollout(service):
    assert service["Service"]["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {
        "Enable": True,
        "Rollback": True,
        "ResetOnHealthyTask": False,
        "ThresholdConfiguration": {"Type": "COUNT", "Value": 2},
    }


def test_every_alarm_but_that_of_few_tasks_ends_a_rollout(stack, service):
    made = stack("service", ReleasedImage=IMAGE)["Resources"]
    alarms = {f"<{name}>" for name, one in made.items() if one["Type"] == "AWS::CloudWatch::Alarm"} - {"<FewTasks>"}
    deployment = service["Service"]["DeploymentConfiguration"]["Alarms"]
    assert set(deployment["AlarmNames"]) == alarms
    assert len(alarms) == 4
    assert deployment["Enable"]
    assert deployment["Rollback"]


def test_new_tasks_that_are_being_checked_set_off_no_alarm(service, resources):
    group, alarm = resources("load-balancer")["TargetGroup"], service["UnhealthyTasks"]
    checks = group["HealthCheckIntervalSeconds"] * group["HealthyThresholdCount"]
    longest = service["Service"]["HealthCheckGracePeriodSeconds"] + checks
    touched = math.ceil(longest / alarm["Period"]) + 1
    assert alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]) > touched


def test_every_alarm_is_sent_to_the_topic(resources):
    made = resources("database") | resources("service", ReleasedImage=IMAGE)
    alarms = [one for one in made.values() if "AlarmName" in one]
    assert len(alarms) == 8
    assert all(one["AlarmActions"] == ["<import colophon-AlarmTopicArn>"] for one in alarms)


def test_alarms_are_mailed_to_the_address_that_is_given(stack, resources):
    mail = {"TopicArn": "<AlarmTopic>", "Protocol": "email", "Endpoint": "ada@example.org"}
    assert resources("cluster", NotifyEmail="ada@example.org")["AlarmMail"] == mail
    assert "AlarmMail" not in resources("cluster")
    assert stack("cluster")["Outputs"]["AlarmTopicArn"]["Value"] == "<AlarmTopic>"


def test_a_night_without_visitors_is_no_alarm(service):
    missing = {name: one["TreatMissingData"] for name, one in service.items() if "TreatMissingData" in one}
    assert missing.pop("FewTasks") == "breaching"  # there, no data is no task
    assert set(missing.values()) == {"notBreaching"}


def test_before_the_first_release_nothing_runs(resources):
    made = resources("service", ReleasedImage="none")
    assert made["Service"]["DesiredCount"] == 0
    assert {one["Image"] for one in containers(made).values()} == {"<import colophon-RepositoryUri>:none"}
    # It would start tasks at once, as many as there must be at least.
    assert not {"ScalableTarget", "ScaleOnCpu", "ScaleOnRequests"} & set(made)


def test_after_it_the_released_image_runs_in_as_many_tasks_as_there_are(resources):
    made = resources("service", ReleasedImage=IMAGE)
    assert "DesiredCount" not in made["Service"]
    assert {one["Image"] for one in containers(made).values()} == {IMAGE}
    assert made["ScalableTarget"]["MinCapacity"] == "2"


def test_tasks_come_with_load_and_with_visitors(resources):
    made = resources("service", ReleasedImage=IMAGE)
    metrics = {
        name: one["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"]
        for name, one in made.items()
        if "TargetTrackingScalingPolicyConfiguration" in one
    }
    assert metrics == {"ScaleOnCpu": "ECSServiceAverageCPUUtilization", "ScaleOnRequests": "ALBRequestCountPerTarget"}


@pytest.mark.parametrize(
    ("given", "url"), [("", "<import colophon-SiteUrl>"), ("https://example.org", "https://example.org")]
)
def test_the_site_and_whoever_proves_it_know_one_address(resources, given, url):
    made = resources("service", SiteUrl=given)
    for container in containers(made).values():
        assert environment(container)["SITE_URL"] == made["SiteUrlParameter"]["Value"] == url
    assert made["SiteUrlParameter"]["Name"] == "/colophon/site-url"


def test_the_database_is_prepared_by_a_task_like_the_site_s_but_for_its_rights_and_its_log(service, container):
    prepare = service["PrepareTaskDefinition"]
    (preparing,) = containers(service, "PrepareTaskDefinition").values()
    assert {key for key in container.keys() | preparing.keys() if container.get(key) != preparing.get(key)} == {
        *("Command", "Environment", "Secrets", "LogConfiguration"),
        *("StopTimeout", "HealthCheck"),  # it has no visitors
    }
    assert preparing["Command"] == ["python3", "-m", "colophon", "prepare"]
    prefixes = [one["LogConfiguration"]["Options"].pop("awslogs-stream-prefix") for one in (container, preparing)]
    assert prefixes == ["site", "prepare"]
    assert container["LogConfiguration"] == preparing["LogConfiguration"]
    other = {key for key in prepare if prepare[key] != service["TaskDefinition"][key]}
    assert other == {"Family", "ExecutionRoleArn", "ContainerDefinitions"}


def test_visitors_come_over_https_alone(resources):
    made = resources("load-balancer")
    assert made["HttpListener"]["DefaultActions"] == [
        {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    ]
    assert made["HttpsListener"]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-")


def test_the_certificate_is_made_or_given(resources):
    given = "arn:aws:acm:eu-central-1:123456789012:certificate/0"
    assert resources("load-balancer")["HttpsListener"]["Certificates"] == [{"CertificateArn": "<Certificate>"}]
    made = resources("load-balancer", HostedZoneId="", CertificateArn=given)
    assert made["HttpsListener"]["Certificates"] == [{"CertificateArn": given}]
    assert not {"Certificate", "DomainRecord"} & set(made)


def test_a_task_is_sent_visitors_when_it_can_serve(resources):
    group = resources("load-balancer")["TargetGroup"]
    assert (group["TargetType"], group["Port"], group["HealthCheckPath"]) == ("ip", 8000, "/readyz")
    assert group["Matcher"] == {"HttpCode": "200"}

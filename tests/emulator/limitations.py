"""What the emulator only pretends, so that nobody takes it for rehearsed."""

from __future__ import annotations

from typing import NamedTuple


class Inert(NamedTuple):
    """Something that is accepted, or answered, but does nothing."""

    what: str
    why: str


INERT = (
    Inert("container instances", "made up, with resources that run out; all tasks share this machine's one engine"),
    Inert(
        "Auto Scaling groups and launch templates",
        "no machine starts; a group's size is the number of made-up instances",
    ),
    Inert("draining of container instances", "no instance ever leaves"),
    Inert("security groups, subnets, routes and VPC endpoints", "recorded only; every container can reach every other"),
    Inert(
        "TLS", "load balancers and AWS's API answer over HTTP on the loopback address; policies see encrypted requests"
    ),
    Inert("DNS and certificates", "recorded only; a load balancer's DNS name is its loopback address"),
    Inert("signatures of web identity tokens", "not checked, as nobody here has the provider's keys; their claims are"),
    Inert("CPU limits of tasks", "shares only; a task may use what nobody else needs"),
    Inert("autoscaling of services", "recorded only; a service has the number of tasks that it was told"),
    Inert("CloudTrail, flow logs and access logs", "recorded only; nothing is written"),
    Inert(
        "RDS",
        "the instance is recorded only; its address and its password are those of the database given at the start",
    ),
    Inert("vulnerability scans of the registry", "of images always complete, always without findings"),
    Inert("KMS keys and encryption at rest", "recorded only"),
    Inert("CloudWatch metrics of services and load balancers", "not published; an alarm has the state it is set to"),
    Inert("lifecycle policies of the registry and the buckets", "recorded only; nothing expires"),
    Inert("AWS's own times", "health checks, grace periods and draining pass faster; what a container takes is real"),
    Inert("throttling and quotas of AWS's APIs", "none"),
)

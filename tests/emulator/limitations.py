"""The features that the emulator accepts or answers but does not imitate, each with the reason."""

LIMITATIONS = {
    "container instances": "made up, with resources that run out; all tasks share this machine's one engine",
    "Auto Scaling groups and launch templates": (
        "no machine starts; a group's size is the number of made-up instances, of which new ones join after a while"
    ),
    "volumes, devices, swap, extra hosts and privileges of containers": "a container that wants them does not start",
    "pidMode and ipcMode of tasks": "a container of a task that sets one does not start",
    "ulimits above this machine's own": "cut down to those",
    "pause container of a task": "runs `sleep` of the task's first image, which has to have it",
    "memory limit of a task": "holds for each of its containers that has none of its own, not for all together",
    "draining of container instances": "no instance ever leaves",
    "security groups, subnets, routes and VPC endpoints": "recorded only; every container can reach every other",
    "TLS": "load balancers and AWS's API answer over HTTP on the loopback address; policies see encrypted requests",
    "DNS and certificates": "recorded only; a load balancer's DNS name is its loopback address",
    "signatures of web identity tokens": "not checked, as the provider's keys are not here; their claims are",
    "CPU limits of tasks": "shares only; a task may use what no other needs",
    "drift-aware change sets": "a failed one is undone to what services were; no drift of anything else is looked at",
    "autoscaling of services": "recorded only; a service has the number of tasks that it was told",
    "flow logs and access logs": "recorded only; nothing is written",
    "RDS": (
        "instances are recorded only, and a restored one has no data of its own; their addresses are those of the "
        "database given at the start, whose owner keeps its password"
    ),
    "vulnerability scans of the registry": "of images always complete, always without findings",
    "KMS keys and encryption at rest": "recorded only",
    "CloudWatch metrics of services and load balancers": "not published; an alarm has the state it is set to",
    "lifecycle policies of the registry and the buckets": "recorded only; nothing expires",
    "AWS's own times": "health checks, grace periods and draining pass faster; what a container takes is real",
    "throttling of AWS's APIs": "every third call with the fault `throttled`, else none",
    "quotas of AWS's APIs": "none",
    "ARNs in a task's metadata, in another partition": "those of the partition `aws`",
}

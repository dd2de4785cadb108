"""The load balancers of the API and the stacks, served on the loopback address by a thread of their own."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.core.responses import request_scope
from ministack.services import alb

from .proxy import Fixed, Forward, Proxy, Routing, page
from .targets import Check, Target, Targets, codes

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .model import Json, Task, World

log = logging.getLogger("emulator.balancers")

HOST = "127.0.0.1"


class Balancers:
    """All load balancers and their targets."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="load balancers", daemon=True)
        self._thread.start()
        self.targets = Targets(self._loop, world.pace, _check)
        self._registered: dict[str, list[Target]] = {}  # by the ARN of the task
        self.addresses: dict[str, str] = {}  # HOST:PORT by the ARN of the load balancer

    def open(self, arn: str) -> str:
        """Serve a load balancer, and return its address, which is also its DNS name."""
        if arn not in self.addresses:
            proxy = Proxy(lambda: _routing(arn, self.targets))
            server = self._call(asyncio.start_server(proxy.serve, HOST, 0, backlog=512))
            self.addresses[arn] = f"{HOST}:{server.sockets[0].getsockname()[1]}"
            log.info("%s answers at http://%s", arn.rsplit("/", 2)[1], self.addresses[arn])
        return self.addresses[arn]

    def end(self) -> None:
        """Stop serving."""

        async def cancel() -> None:
            for work in asyncio.all_tasks() - {asyncio.current_task()}:
                work.cancel()

        self._call(cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # -- tasks

    def register(self, task: Task) -> None:
        """Register a task of a service in the service's target groups. The caller holds the world's lock."""
        service = self.world.service_of(task)
        for entry in service.load_balancers if service else []:
            container = next((c for c in task.containers if c.name == entry["containerName"]), None)
            port = int(entry["containerPort"])
            if service and container and port in container.ports:
                group, published = entry["targetGroupArn"], container.ports[port]
                target = self.targets.add(group, *_name(task, port, published), HOST, published)
                self._registered.setdefault(task.arn, []).append(target)
                service.say(f"registered 1 targets in (target-group {group})")

    def deregister(self, task: Task) -> float:
        """Take a task out of its target groups, and return the seconds until its last request should be over."""
        service, targets = self.world.service_of(task), self._registered.pop(task.arn, [])
        if service and targets:
            for target in targets:
                service.say(f"deregistered 1 targets in (target-group {target.group})")
            service.say("has begun draining connections on 1 tasks.")
        return max((self.targets.drain(target) for target in targets), default=0.0)

    def states(self, service: Any, task: Task) -> list[Target | None]:
        """Return the state of a task in each target group of its service; None where it is not registered."""
        found = {target.group: target for target in self._registered.get(task.arn, [])}
        return [found.get(entry["targetGroupArn"]) for entry in service.load_balancers]

    # -- the API

    def install(self) -> None:
        """Replace two things that ministack makes up: the state of targets, and the addresses of load balancers."""
        alb._ACTION_MAP["RegisterTargets"] = alb._ACTION_MAP["DeregisterTargets"] = _refuse
        alb._ACTION_MAP["DescribeTargetHealth"] = self._describe_target_health
        created = alb._create_lb

        def create(params: Json) -> tuple[int, Json, bytes]:
            status, headers, body = created(params)
            for load_balancer in alb._lbs.values():
                if load_balancer["LoadBalancerArn"] not in self.addresses:
                    invented = load_balancer["DNSName"]
                    self.adopt(load_balancer)
                    body = body.replace(invented.encode(), load_balancer["DNSName"].encode())
            return status, headers, body

        alb._ACTION_MAP["CreateLoadBalancer"] = create

    def adopt(self, record: Json) -> str:
        """Give a load balancer of ministack's its real address, and return it."""
        record["DNSName"] = self.open(record["LoadBalancerArn"])
        return str(record["DNSName"])

    def _describe_target_health(self, params: Json) -> Any:
        group = alb._p(params, "TargetGroupArn")
        if group not in alb._tgs:
            return alb._error("TargetGroupNotFound", f"Target group '{group}' not found.")
        wanted = {target["Id"] for target in alb._parse_targets_param(params)}
        members = "".join(_member(t) for t in self.targets.of(group) if not wanted or t.id in wanted)
        return alb._xml(200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>")


def _refuse(_params: Json) -> Any:
    """Refuse any target but the tasks of services: health checks would be sent to it, wherever it is."""
    return alb._error("InvalidTarget", "The emulator's targets are the tasks of its services.")


def _name(task: Task, port: int, published: int) -> tuple[str, int]:
    """Return the ID and port of a task's target: its instance and host port, or in awsvpc mode its own address."""
    if task.definition.get("networkMode") == "awsvpc":
        address = next((c.address for c in task.containers if c.address), HOST)
        return address, port
    return (task.instance.ec2_id if task.instance else HOST), published


def _member(target: Target) -> str:
    reason = f"<Reason>{target.reason}</Reason><Description>{escape(target.description)}</Description>"
    return (
        f"<member><Target><Id>{target.id}</Id><Port>{target.port}</Port></Target><HealthCheckPort>{target.port}</HealthCheckPort>"
        f"<TargetHealth><State>{target.name}</State>{reason if target.reason else ''}</TargetHealth></member>"
    )


def _scope(arn: str) -> tuple[str, str]:
    """Return the account and the region that an ARN names."""
    parts = arn.split(":")
    return parts[4], parts[3]


def _attributes(known: Any, arn: str) -> dict[str, str]:
    return {entry["Key"]: entry["Value"] for entry in known.get_scoped(*_scope(arn), arn) or []}


def _check(arn: str) -> Check | None:
    """Return the health check of a target group, None when it is gone."""
    group = alb._tgs.get_scoped(*_scope(arn), arn)
    if group is None:
        return None
    attributes = _attributes(alb._tg_attrs, arn)
    port = str(group.get("HealthCheckPort") or "traffic-port")
    return Check(
        str(group.get("HealthCheckPath") or "/"),
        float(group.get("HealthCheckIntervalSeconds") or 30),
        float(group.get("HealthCheckTimeoutSeconds") or 5),
        int(group.get("HealthyThresholdCount") or 5),
        int(group.get("UnhealthyThresholdCount") or 2),
        codes(str((group.get("Matcher") or {}).get("HttpCode") or "200")),
        int(port) if port.isdigit() else None,
        float(attributes.get("deregistration_delay.timeout_seconds", 300)),
    )


def _routing(arn: str, targets: Targets) -> Routing:
    """Return the present routing of a load balancer.

    It has one address, so of several listeners the encrypted one is served, without its encryption: the other only
    redirects to it.
    """
    account, region = _scope(arn)
    idle = float(_attributes(alb._lb_attrs, arn).get("idle_timeout.timeout_seconds", 60))
    listeners = [entry for entry in alb._listeners.values_scoped(account, region) if entry["LoadBalancerArn"] == arn]
    listeners.sort(key=lambda entry: (entry["Protocol"] != "HTTPS", entry["Port"]))
    if not listeners:
        return Routing(_nothing, idle, "http", 80)
    listener = listeners[0]

    async def route(method: str, target: str, headers: dict[str, str]) -> Fixed | Forward:
        path, _, query = target.partition("?")
        with request_scope(account, region):
            actions = _actions(listener, method, path, headers)
            group = next((action.get("TargetGroupArn") for action in actions if action["Type"] == "forward"), None)
            if group:
                chosen = next(targets.usable(group), None)
                return Forward(chosen) if chosen else page(503)
            answer = await alb._execute_action(actions[0], method, path, headers, b"", {}, query) if actions else None
        return Fixed(answer[0], list(answer[1].items()), answer[2]) if answer else page(502)

    return Routing(route, idle, str(listener["Protocol"]).lower(), int(listener["Port"]))


async def _nothing(_method: str, _target: str, _headers: dict[str, str]) -> Fixed | Forward:
    return page(503)


def _actions(listener: Json, method: str, path: str, headers: dict[str, str]) -> list[Json]:
    """Return the actions of the first rule that matches a request."""
    rules = [rule for rule in alb._rules.values() if rule.get("ListenerArn") == listener["ListenerArn"]]
    for rule in sorted(rules, key=alb._rule_sort_key):
        matches = (alb._match_condition(each, method, path, headers, {}) for each in rule.get("Conditions") or [])
        if rule.get("IsDefault") or all(matches):
            return rule.get("Actions") or listener.get("DefaultActions") or []
    return listener.get("DefaultActions") or []

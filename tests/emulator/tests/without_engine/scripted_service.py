"""A service and its tasks on paper, for tests of what the scheduler decides."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from tests.emulator import scheduler
from tests.emulator.model import Container, Deployment, Service, Task, World
from tests.emulator.pace import Pace
from tests.emulator.targets import Target

if TYPE_CHECKING:
    from tests.emulator.model import Json

ACCOUNT, REGION = "123456789012", "eu-central-1"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/books"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/books/1"


class ScriptedService:
    """A service behind a load balancer, whose tasks do what a test says."""

    def __init__(self, desired: int = 2, **configuration: Any) -> None:
        self.world = World(Pace())
        self.alarms: list[str] = []
        self.targets: dict[str, Target] = {}
        self.full: Exception | None = None
        self.scheduler = scheduler.Scheduler(
            self.world, self.launch, lambda _, task: [self.targets.get(task.arn)], lambda _: self.alarms
        )
        settings: Json = {
            "serviceName": "books",
            "taskDefinition": "books:1",
            "healthCheckGracePeriodSeconds": 0,
            "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "site", "containerPort": 8000}],
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                **configuration,
            },
        }
        self.service = Service(
            CLUSTER.replace(":cluster/", ":service/") + "/books", ACCOUNT, REGION, CLUSTER, settings, desired
        )
        self.world.services[self.service.arn] = self.service
        scheduler.deploy(self.service)

    def launch(self, _service: Service, deployment: Deployment) -> Task:
        if self.full:
            raise self.full
        arn = f"{CLUSTER.replace(':cluster/', ':task/')}/{len(self.world.tasks)}"
        task = Task(
            arn,
            ACCOUNT,
            REGION,
            CLUSTER,
            {},
            [Container({"name": "site"}, f"{arn}/site")],
            "service:books",
            deployment=deployment,
        )
        self.world.tasks[arn] = task
        return task

    @property
    def tasks(self) -> list[Task]:
        """The tasks that have not stopped."""
        return self.world.tasks_of(self.service)

    def of(self, deployment: Deployment) -> list[Task]:
        return [task for task in self.tasks if task.deployment is deployment]

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.service.primary.not_before = 0
            self.scheduler.look(self.service)

    def run(self, task: Task, state: str = "healthy", description: str = "") -> None:
        """Let a task run, with its target in a state."""
        task.reach("RUNNING")
        task.times["startedAt"] = time.time()
        target = Target(GROUP, "10.0.0.1", 8000, "127.0.0.1", 1, name=state, description=description)
        self.targets[task.arn] = target

    def stop(
        self, task: Task, reason: str = "Essential container in task exited", code: str = "EssentialContainerExited"
    ) -> None:
        """Let a task end: by itself, unless it was asked to."""
        task.stop(reason, code)
        task.reach("STOPPED")
        self.scheduler.ended(task)

    def settle(self, *, good: bool = True) -> None:
        """Let everything take its course: tasks that are started come up, or fail; those that are asked to stop do."""
        for _ in range(20):
            self.look()
            for task in self.tasks:
                if not task.wanted:
                    self.stop(task)
                elif task.last_status != "RUNNING":
                    if good or task.deployment is self.service.completed:
                        self.run(task)
                    else:
                        self.stop(task)

    def deploy(self, definition: str) -> Deployment:
        """Begin a new deployment, as UpdateService does."""
        self.service.settings = {**self.service.settings, "taskDefinition": definition}
        return scheduler.deploy(self.service)


async def quiet() -> None:
    """Wait until all else that the loop does is done, and the connections that were closed are gone."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
    await asyncio.sleep(0)

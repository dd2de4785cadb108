"""A service whose tasks do what a test says, for tests of the scheduler's decisions."""

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
    """A service of two tasks behind a load balancer, without containers."""

    def __init__(self, desired: int = 2, **configuration: Any) -> None:
        self.world = World(Pace())
        self.alarms: list[str] = []
        self.targets: dict[str, Target] = {}
        self.full: Exception | None = None
        states = lambda _, task: [self.targets.get(task.arn)]  # noqa: E731
        self.bake = 0.0  # seconds
        own = (lambda _: self.alarms, lambda _: self.bake)
        self.scheduler = scheduler.Scheduler(self.world, self.launch, states, *own)
        breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
        settings: Json = {
            "serviceName": "books",
            "taskDefinition": "books:1",
            "healthCheckGracePeriodSeconds": 0,
            "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "site", "containerPort": 8000}],
            "deploymentConfiguration": {**breaker, **configuration},
        }
        arn = CLUSTER.replace(":cluster/", ":service/") + "/books"
        self.service = Service(arn, ACCOUNT, REGION, CLUSTER, settings, desired)
        self.world.services[self.service.arn] = self.service
        scheduler.deploy(self.service, self.alarms)

    def launch(self, _service: Service, deployment: Deployment) -> Task:
        if self.full:
            raise self.full
        arn = f"{CLUSTER.replace(':cluster/', ':task/')}/{len(self.world.tasks)}"
        container = Container({"name": "site"}, f"{arn}/site")
        task = Task(arn, ACCOUNT, REGION, CLUSTER, {}, [container], "service:books", deployment=deployment)
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

    def run(self, *tasks: Task, state: str = "healthy", description: str = "") -> None:
        """Set tasks to RUNNING, with their targets in a state."""
        for task in tasks:
            task.reach("RUNNING")
            task.times["startedAt"] = time.time()
            target = Target(GROUP, "10.0.0.1", 8000, "127.0.0.1", 1, name=state, description=description)
            self.targets[task.arn] = target

    def stop(self, *tasks: Task) -> None:
        """Stop tasks, as failures unless their stop was requested before."""
        for task in tasks:
            task.stop("Essential container in task exited", "EssentialContainerExited")
            task.reach("STOPPED")
            self.scheduler.ended(task)

    def settle(self, *, good: bool = True) -> None:
        """Run the scheduler to its end: started tasks come up, or fail; tasks that it stops do stop."""
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

    def begin(self, definition: str) -> Deployment:
        """Start a new deployment, and let the scheduler look at it once."""
        deployment = self.deploy(definition)
        self.look()
        return deployment

    def deploy(self, definition: str) -> Deployment:
        """Start a new deployment, as UpdateService does."""
        self.service.settings = {**self.service.settings, "taskDefinition": definition}
        return scheduler.deploy(self.service, self.alarms)


async def quiet() -> None:
    """Wait for the loop's other tasks, and for closed connections to go."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
    await asyncio.sleep(0)

"""A stand-in for CloudFormation, and for what else `stacks` speaks to, in an account without anything."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from delivery.aws.errors import AwsError
from delivery.aws.stacks.update import ECS
from delivery.deployment.lock import KEY
from delivery.terminal.shell import CommandError
from tests.cloudformation import parse, resolve
from tests.delivery.aws.fake_cli import options as read

Json = dict[str, Any]
THING = {"LogicalResourceId": "Thing", "ResourceType": "AWS::A::Thing"}
SERVICE = "colophon-service"


def refusal(code: str, said: str = "it is so") -> AwsError:
    """Return what the aws CLI says when AWS refuses a call."""
    return failure(254, f"An error occurred ({code}) when calling the Any operation: {said}")


def failure(code: int, errors: str) -> AwsError:
    """Return the failure of a command that ended with a code, and what it wrote."""
    return AwsError(CommandError(("aws",), code, errors))


def change_set(change: Json) -> Json:
    """Return a change set that is ready, with one change."""
    changes = [{"Type": "Resource", "ResourceChange": change}]
    return {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "Changes": changes}


class CloudFormation:
    """Answers what `aws` would. A stack is a template's text and parameters; its resources are one thing.

    The service's stack alone has those of its template: an image and a number of tasks run in `service`, and the stack
    knows what it last made of them. A change whose resource `fails` is undone.
    """

    def __init__(self) -> None:
        self.stacks: Json = {}
        self.deleted: Json = {}  # by their IDs
        self.change_sets: Json = {}
        self.executed: set[str] = set()
        self.policies: Json = {}
        self.events: list[Json] = []  # of all stacks; the newest first, as AWS has them
        self.released: str | None = "none"
        self.service: tuple[str, int] = ("none", 0)
        self._known: tuple[str, int | None] = ("none", 0)
        self.fails: str | None = None
        self.objects: Json = {}
        self.images: set[str] = set()  # digests
        self.calls: list[tuple[str, Json]] = []
        self.zones = 3
        self.on: Json = {}  # what an action does instead
        self.guarded = {"database", "load-balancer"}  # stacks whose resource has a deletion protection of its own
        self.tasks = ["migration"]
        self.instances = {"i-1": True, "i-2": True}  # whether each is protected from scale-in
        self._goal = 2  # of the instances' group

    def call(self, _service: str, action: str, *arguments: str, **_: Any) -> Any:
        options = read([*arguments])
        self.calls.append((action, options))
        answer = self.on.get(action) or getattr(self, action.replace("-", "_"))
        return answer(options)

    def hold_lock(self, who: str) -> None:
        """Have another deployment hold the lock for a minute from now."""
        until = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
        self.objects[KEY] = {"holder": who, "id": who, "since": "2026-03-01T12:00:00Z", "until": until}

    def called(self, action: str) -> list[Json]:
        return [options for called, options in self.calls if called == action]

    def get_caller_identity(self, _: Json) -> Json:
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root"}

    def describe_availability_zones(self, _: Json) -> Json:
        return {"AvailabilityZones": [{"RegionName": "eu-central-1"}] * self.zones}

    # -- the released image, its receipts and its registry

    def get_parameter(self, _: Json) -> Json:
        if self.released is None:
            raise refusal("ParameterNotFound")
        return {"Parameter": {"Value": self.released}}

    def put_parameter(self, options: Json) -> None:
        self.released = options["value"]

    def describe_repositories(self, _: Json) -> Json:
        return {"repositories": [{"repositoryUri": "registry/colophon"}]}

    def describe_images(self, options: Json) -> Json:
        digest = options["image-ids"].removeprefix("imageDigest=")
        if digest not in self.images:
            raise refusal("ImageNotFoundException")
        return {"imageDetails": [{"imageDigest": digest, "imageTags": ["c" * 40]}]}

    def describe_services(self, _: Json) -> Json:
        return {"services": [{"status": "ACTIVE", "taskDefinition": "colophon:1"}] if SERVICE in self.stacks else []}

    def describe_task_definition(self, _: Json) -> Json:
        return {"taskDefinition": {"containerDefinitions": [{"name": "site", "image": self.service[0]}]}}

    def head_bucket(self, _: Json) -> None:
        if "colophon-delivery" not in self.stacks:
            raise refusal("404", "Not Found")

    def get_object(self, options: Json) -> Json:
        if (found := self.objects.get(options["key"])) is None:
            raise refusal("NoSuchKey")
        Path(options[""]).write_text(json.dumps(found))
        return {"ETag": json.dumps(found)}

    def put_object(self, options: Json) -> Json:
        present = json.dumps(self.objects[options["key"]]) if options["key"] in self.objects else None
        if present != options.get("if-match"):
            raise refusal("PreconditionFailed")
        self.objects[options["key"]] = json.loads(Path(options["body"]).read_text())
        return {"ETag": json.dumps(self.objects[options["key"]])}

    def list_objects_v2(self, options: Json) -> Json:
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(options["prefix"])]}

    # -- stacks

    def describe_stacks(self, options: Json) -> Json:
        named = options["stack-name"]
        if (found := self.stacks.get(named) or self.deleted.get(named)) is None:
            raise failure(254, f"Stack with id {named} does not exist")
        return {"Stacks": [{"StackId": named if named.startswith("arn:") else f"arn:{named}", **found}]}

    def create_change_set(self, options: Json) -> Json:
        name = options["stack-name"]
        parameters = json.loads(options["parameters"])
        for one in parameters:
            if one["ParameterKey"] == "ReleasedImage":
                assert self.released, "CloudFormation finds no such parameter"
                one["ResolvedValue"] = self.released
        template = (ECS / options["template-body"].rsplit("/", 1)[1]).read_text()
        self.stacks.setdefault(name, {"StackStatus": "REVIEW_IN_PROGRESS"})
        self.change_sets[options["change-set-name"]] = {"template": template, "Parameters": parameters}
        return {}

    def describe_change_set(self, options: Json) -> Json:
        if options["change-set-name"] in self.executed:
            return {"Status": "CREATE_COMPLETE", "ExecutionStatus": "EXECUTE_IN_PROGRESS", "Changes": []}
        before, after = self.stacks[options["stack-name"]], self.change_sets[options["change-set-name"]]
        if all(before.get(key) == value for key, value in after.items()):
            return {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes. Submit …"}
        return change_set({"Action": "Modify", "Replacement": "False", **THING})

    def execute_change_set(self, options: Json) -> None:
        name, change = options["stack-name"], options["change-set-name"]
        self.executed.add(change)
        after = self.change_sets.pop(change)
        if name == SERVICE and not self._change_service(after, self._mode(change)):
            self.stacks[name]["StackStatus"] = "UPDATE_ROLLBACK_COMPLETE"
            self._tell(self.fails, "UPDATE_FAILED", "It fails.")
            return
        self.stacks[name] |= after | {"StackStatus": "UPDATE_COMPLETE"}
        self._tell("Thing", "UPDATE_COMPLETE", "")

    def _mode(self, change: str) -> str | None:
        return next(one.get("deployment-mode") for one in self.called("create-change-set") if change in one.values())

    def _tell(self, resource: str | None, status: str, why: str) -> None:
        event = {"EventId": len(self.events), "LogicalResourceId": resource, "ResourceType": "AWS::A::Thing"}
        self.events.insert(0, event | {"ResourceStatus": status, "ResourceStatusReason": why})

    def _change_service(self, after: Json, mode: str | None) -> bool:
        """Change the service's stack, resource after resource, and undo it if one fails.

        A resource that a failed change had changed, or failed at, gets what the stack had last made of it; with
        REVERT_DRIFT, what it was before. Without a number of tasks, the service keeps those that it has.
        """
        values = {one["ParameterKey"]: one.get("ResolvedValue", one["ParameterValue"]) for one in after["Parameters"]}
        made = resolve(parse(after["template"]), **values)["Resources"]
        counted = made["Service"]["Properties"].get("DesiredCount")
        before, wanted = self.service, (values["ReleasedImage"], counted)
        touched = False
        for resource in in_order(made):
            if resource == "Service":
                touched = True
                self._run(wanted)
            if resource == self.fails:
                if touched:
                    self._run(before if mode == "REVERT_DRIFT" else self._known)
                return False
        self._known = wanted
        return True

    def _run(self, wanted: tuple[str, int | None]) -> None:
        image, count = wanted
        self.service = (image, self.service[1] if count is None else count)

    def describe_stack_events(self, _: Json) -> Json:
        return {"StackEvents": self.events}

    def delete_change_set(self, options: Json) -> None:
        del self.change_sets[options["change-set-name"]]

    def delete_stack(self, options: Json) -> None:
        """Delete a stack, if nothing keeps it, and none that imports from it is there; else say what does."""
        name = options["stack-name"].removeprefix("arn:")
        later = list(self.stacks)[list(self.stacks).index(name) + 1 :]
        stack = self.stacks.pop(name)
        kept = f"{name} is protected" if stack.get("EnableTerminationProtection") else ""
        kept = kept or (f"{later[0]} uses it" if later else "")
        kept = kept or (f"{name} is guarded" if name.removeprefix("colophon-") in self.guarded else "")
        if name == "colophon-cluster" and (self.tasks or self.instances):
            kept = "The cluster has tasks or instances"
        if kept:
            self.stacks[name] = stack | {"StackStatus": "DELETE_FAILED"}
        self.deleted[f"arn:{name}"] = self.stacks.get(name) or {"StackStatus": "DELETE_COMPLETE"}
        self._tell("Thing", self.deleted[f"arn:{name}"]["StackStatus"], kept)

    # -- what keeps stacks from being deleted

    def describe_stack_resources(self, options: Json) -> Json:
        """Show the resources of a stack that its template names, each under that name."""
        template = parse((ECS / f"{options['stack-name'].removeprefix('arn:colophon-')}.yml").read_text())
        resources = [
            {"ResourceType": one["Type"], "PhysicalResourceId": name, "ResourceStatus": "CREATE_COMPLETE"}
            for name, one in template["Resources"].items()
        ]
        return {"StackResources": resources}

    def modify_load_balancer_attributes(self, _: Json) -> None:
        self.guarded.discard("load-balancer")

    def describe_db_instances(self, _: Json) -> Json:
        return {"DBInstances": [{"DeletionProtection": "database" in self.guarded}]}

    def modify_db_instance(self, options: Json) -> None:
        assert "no-deletion-protection" in options
        self.guarded.discard("database")

    def list_tasks(self, _: Json) -> Json:
        return {"taskArns": self.tasks}

    def stop_task(self, options: Json) -> None:
        self.tasks.remove(options["task"])

    def describe_auto_scaling_groups(self, _: Json) -> Json:
        """Show the group; each look ends one instance that nothing protects, once none is wanted."""
        if self._goal == 0 and (free := [name for name, protected in self.instances.items() if not protected]):
            del self.instances[free[0]]
        shown = [{"InstanceId": name, "ProtectedFromScaleIn": held} for name, held in self.instances.items()]
        return {"AutoScalingGroups": [{"Instances": shown}]}

    def update_auto_scaling_group(self, options: Json) -> None:
        assert options["min-size"] == "0"
        self._goal = int(options["desired-capacity"])

    def set_instance_protection(self, options: Json) -> None:
        assert "no-protected-from-scale-in" in options
        named = options["instance-ids"]
        self.instances |= dict.fromkeys([named] if isinstance(named, str) else named, False)

    def get_stack_policy(self, options: Json) -> Json | None:
        return {"StackPolicyBody": self.policies[name]} if (name := options["stack-name"]) in self.policies else None

    def set_stack_policy(self, options: Json) -> None:
        self.policies[options["stack-name"]] = options["stack-policy-body"]

    def update_termination_protection(self, options: Json) -> None:
        self.stacks[options["stack-name"]]["EnableTerminationProtection"] = "enable-termination-protection" in options


def in_order(resources: Json) -> list[str]:
    """Return the names of resources, each after those that it names."""
    needs = {
        name: {found for found in re.findall(r"<(\w+)[.>]", str(one)) if found in resources}
        | {*([one["DependsOn"]] if isinstance(one.get("DependsOn"), str) else one.get("DependsOn", []))}
        for name, one in resources.items()
    }
    ordered: list[str] = []
    while len(ordered) < len(needs):
        ordered += [name for name, others in needs.items() if name not in ordered and others <= {*ordered}]
    return ordered

"""ecs/README.md: its commands exist, its sums are right, and its example is one."""

import re
import shlex
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from importlib import import_module

from delivery.aws.stacks import parameters, templates
from delivery.aws.stacks.update import ECS, STACKS
from delivery.environments import ROOT, environment

README = (ECS / "README.md").read_text()
SHELL = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
# What the AWS command line does by itself, beside the calls of AWS's API.
OWN = {"aws configure", "aws s3", "aws cloudformation deploy"}


def aws_calls():
    """Return the calls of AWS in the README as words without `aws`, those within $(…) too."""
    lines = re.findall(r"""(?:^ *|\$\()(aws (?:'[^']*'|"[^"]*"|[^\n#)|;'"])*)""", SHELL, re.MULTILINE)
    words = [shlex.split(line) for line in lines if not any(line.startswith(own) for own in OWN)]
    return [one[1:] for one in words]


def test_every_call_of_aws_is_one_that_there_is(aws_models):
    named = partial(import_module("awscli.botocore").xform_name, sep="-")
    calls = aws_calls()
    assert len(calls) > 10
    for service, action, *words in calls:
        if action == "wait":
            assert words[0] in map(named, aws_models.get_waiter_model(service).waiter_names)
            continue
        model = aws_models.get_service_model(service)
        operations = {named(name): model.operation_model(name).input_shape for name in model.operation_names}
        options = set(map(named, operations[action].members if operations[action] else ()))
        # Of the command line's own, these; and each option that is a yes may be said with a no.
        given = {word.removeprefix("--").removeprefix("no-") for word in words if word.startswith("--")}
        assert given - {"query", "output", "cli-input-json"} <= options, (service, action)


def test_every_line_of_the_menu_is_one_that_there_is():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"^ *make ([\w./-]+)", SHELL, re.MULTILINE))
    assert named >= {"stacks", "build"}
    assert all(re.search(rf"^{re.escape(name)}:", makefile, re.MULTILINE) for name in named)


def test_every_stack_and_parameter_that_is_set_is_one_that_there_is():
    for stack, parameter in re.findall(r"--set ([a-z-]+)\.(\w+)=", README):
        assert parameter in templates.parameters(ECS / f"{stack}.yml")
    assert {stack.file for stack in STACKS} == set(re.findall(r"\]\(([a-z-]+\.yml)\)", README))


def test_the_costs_add_up():
    rows = re.findall(r"^\| .+? \| ([\d× .]+) \| ([\d.]+) \|$", README, re.MULTILINE)
    total = re.search(r"\*\*together\*\* \| \| \*\*([\d.]+)\*\*", README)
    assert total
    for arithmetic, dollars in rows:
        product = Decimal(1)
        for factor in arithmetic.split("×"):
            product *= Decimal(factor.strip())
        assert product.quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(dollars), arithmetic
    assert sum(Decimal(dollars) for _, dollars in rows) == Decimal(total[1])
    assert len(rows) == 12


def test_the_examples_in_delivery_toml_are_keys_and_complete_parameters(tmp_path):
    examples = re.sub(r"^# (?=\w+ = )", "", (ROOT / "delivery.toml").read_text(), flags=re.MULTILINE)
    (tmp_path / "delivery.toml").write_text(examples.partition("\n# Cheaper")[0])
    chosen = environment(tmp_path, {})
    assert (chosen.account, chosen.region, chosen.address) == (
        "111122223333",
        "eu-central-1",
        "https://books.example.org",
    )
    declared = {stack.name: templates.parameters(ECS / stack.file) for stack in STACKS}
    values = parameters.complete(chosen.stacks, declared, {"Project": chosen.project})
    assert values["load-balancer"]["Domain"] == "books.example.org"

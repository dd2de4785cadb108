"""The scenes of alarms: before a rollout, during it, and while a release bakes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from delivery.deployment.outcomes import Outcome
from tests.emulator import until

from .stage import FOLLOWS, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .command import Ended
    from .stage import Stage

# What an alarm measures, but for how long.
MEASURES = (
    *("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "DatapointsToAlarm"),
    *("Threshold", "ComparisonOperator", "TreatMissingData"),
)


@contextmanager
def alarm_on(stage: Stage) -> Iterator[None]:
    """Have an alarm that the service watches on for a while."""
    alarm = {"AlarmName": "colophon-site-errors", "StateReason": "A rehearsal"}
    stage.account.aws("cloudwatch", "set_alarm_state", StateValue="ALARM", **alarm)
    try:
        yield
    finally:
        stage.account.aws("cloudwatch", "set_alarm_state", StateValue="OK", **alarm)


@contextmanager
def long_bake(stage: Stage) -> Iterator[None]:
    """Have an alarm of the service need a day, and so its deployments bake for long."""
    aws, name = stage.account.aws, "colophon-load-balancer-errors"
    (found,) = aws("cloudwatch", "describe_alarms", AlarmNames=[name])["MetricAlarms"]
    same = {key: found[key] for key in MEASURES}
    aws("cloudwatch", "put_metric_alarm", **same, EvaluationPeriods=1440)
    try:
        yield
    finally:
        aws("cloudwatch", "put_metric_alarm", **same, EvaluationPeriods=found["EvaluationPeriods"])


def an_alarm(stage: Stage) -> Ended:
    stage.to_be_seen.add(stage.merge("Release this, then raise an alarm"))
    deploy = stage.clone.start("deploy")
    deploy.until_it_says(FOLLOWS)
    with alarm_on(stage):
        return deploy.end()


def an_alarm_during_the_bake(stage: Stage) -> Ended:
    stage.to_be_seen.add(stage.merge("Release this, then raise an alarm while it bakes"))
    with long_bake(stage):
        deploy = stage.clone.start("deploy")
        deploy.until_it_says("== Bake")
        with alarm_on(stage):
            return deploy.end()


def an_alarm_before(stage: Stage) -> Ended:
    """Release while an alarm is on: ECS then watches none, which the preflight says."""
    with alarm_on(stage):
        ended = stage.release("Mend what the alarm is about")
    assert "as these are on: colophon-site-errors" in ended.said, "no check warned of the alarm"
    return ended


def a_long_bake(stage: Stage) -> Ended:
    """Release what bakes for longer than the deployment watches it."""
    stage.merge("Let this bake")
    with long_bake(stage):
        ended = stage.goes_live(stage.clone.deliver("deploy", DELIVERY_BAKE_TIMEOUT="1"))
        assert "It still bakes" in ended.said, "it does not say that the release still bakes"
        assert "IN_PROGRESS (baking)" in stage.clone.deliver("status").said
    until(lambda: "deployment    SUCCESSFUL" in stage.clone.deliver("status").said)
    return ended


FIRED = "colophon-site-errors fired"
SCENES = (
    Scene("alarm goes off", an_alarm, Outcome.ROLLED_BACK, FIRED),
    Scene("alarm during the bake", an_alarm_during_the_bake, Outcome.ROLLED_BACK, FIRED, short=True),
    Scene("alarm on before", an_alarm_before, Outcome.LIVE),
    Scene("release that bakes long", a_long_bake, Outcome.LIVE),
)

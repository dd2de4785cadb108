"""GitLab's reading of .gitlab-ci.yml, as much of it as ours needs: which jobs a pipeline has, and what each is given.

Source: "CI/CD YAML syntax reference"; "CI/CD expressions"; "Where variables can be used".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[3]
Keywords = dict[str, Any]


class Pipeline:
    """The file: its jobs with what they extend and what is the default, and rules with `if` and `when`."""

    KEYWORDS = frozenset({"stages", "workflow", "default", "variables"})

    def __init__(self) -> None:
        self.config: Keywords = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
        self.jobs_by_name = {
            name: self.config["default"] | self._merged(job)
            for name, job in self.config.items()
            if name not in self.KEYWORDS and not name.startswith(".")
        }

    def _merged(self, job: Keywords) -> Keywords:
        base = self._merged(self.config[job["extends"]]) if "extends" in job else {}
        merged = base | job
        for key in ("variables", "artifacts"):
            if key in base and key in job:
                merged[key] = base[key] | job[key]
        merged["script"] = [
            line for entry in merged["script"] for line in ([entry] if isinstance(entry, str) else entry)
        ]
        return merged

    def jobs(self, variables: Mapping[str, str]) -> list[str]:
        """Return the jobs of the pipeline that is started with these variables, by name."""
        if not self._included(self.config["workflow"]["rules"], variables):
            return []
        return sorted(
            name for name, job in self.jobs_by_name.items() if self._included(job.get("rules", [{}]), variables)
        )

    def _included(self, rules: list[Keywords], variables: Mapping[str, str]) -> bool:
        for rule in rules:
            if "if" not in rule or truth(rule["if"], variables):
                return bool(rule.get("when", "on_success") != "never")
        return False

    def earlier(self, name: str, variables: Mapping[str, str]) -> list[str]:
        """Return the jobs of that pipeline whose artifacts a job gets: those it needs, or those of earlier stages."""
        if "needs" in self.jobs_by_name[name]:
            return list(self.jobs_by_name[name]["needs"])
        stages = self.config["stages"]
        before = stages[: stages.index(self.jobs_by_name[name]["stage"])]
        return [job for job in self.jobs(variables) if self.jobs_by_name[job]["stage"] in before]

    def variables(self, name: str, given: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that a job runs with: those that it is given, and over them the file's, expanded."""
        written = self.config["variables"] | self.jobs_by_name[name].get("variables", {})
        known = dict(given) | {key: str(value) for key, value in written.items()}
        for key in written:
            known[key] = re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda found: known.get(found[1] or found[2], ""), known[key])
        return known

    def names(self) -> set[str]:
        """Return the names of the variables that the file sets, wherever in it."""
        return set(_set_in(self.config))


def _set_in(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        yield from part["variables"] if isinstance(part.get("variables"), dict) else ()
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _set_in(each)


def truth(expression: str, variables: Mapping[str, str]) -> bool:
    """Evaluate an expression of GitLab's: `&&` binds closer than `||`; a lone variable is true when it is not empty."""
    return any(all(_holds(part.strip(), variables) for part in each.split("&&")) for each in expression.split("||"))


def _holds(comparison: str, variables: Mapping[str, str]) -> bool:
    match = re.fullmatch(r"(\$\w+)(?:\s*(==|!=|=~|!~)\s*(.+))?", comparison) or _unknown(comparison)
    left, operator, right = match.groups()
    value = variables.get(left[1:])
    if operator is None:
        return bool(value)
    if operator in ("=~", "!~"):
        pattern = re.fullmatch(r"/(.*)/", right) or _unknown(comparison)
        return (re.search(pattern[1], value or "") is not None) == (operator == "=~")
    wanted = variables.get(right[1:]) if right.startswith("$") else None if right == "null" else right.strip("\"'")
    return (value == wanted) == (operator == "==")


def _unknown(comparison: str) -> Never:
    raise AssertionError(f"the test does not know how GitLab reads {comparison!r}")

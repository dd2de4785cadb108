"""What .editorconfig tells editors is what the files are."""

import configparser
import re
import tomllib

import pytest
from editorconfig import get_properties
from editorconfig.fnmatch import fnmatch

from tests.repository.checkout import ROOT, tracked

SECTIONS = re.findall(r"^\[(.+)\]$", (ROOT / ".editorconfig").read_text(), re.MULTILINE)


def broken(name, content):
    """Return the rules for a file that its content breaks."""
    rules = get_properties(str(ROOT / name))
    kept = {
        ("charset", "utf-8"): lambda: not content.startswith("\ufeff"),
        ("end_of_line", "lf"): lambda: "\r" not in content,
        ("insert_final_newline", "true"): lambda: not content or content.endswith("\n"),
        ("trim_trailing_whitespace", "true"): lambda: not re.search(r"[ \t]+$", content, re.MULTILINE),
        ("indent_style", "space"): lambda: not re.search(r"^ *\t", content, re.MULTILINE),
        ("indent_style", "tab"): lambda: not re.search(r"^ +\S", content.replace("\\\n", ""), re.MULTILINE),
    }
    return [rule for rule, value in rules.items() if (rule, value) in kept and not kept[rule, value]()]


def test_every_file_is_as_its_rules_say():
    found = {}
    for name in tracked():
        try:
            content = (ROOT / name).read_bytes().decode()
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture, or a file that was deleted and not committed yet
        found |= {name: rules} if (rules := broken(name, content)) else {}
    assert found == {}


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.py", "\ufeffa = 1\n", "charset"),
        ("a.py", "a = 1\r\n", "end_of_line"),
        ("a.txt", "no end", "insert_final_newline"),
        ("a.yml", "a: 1 \n", "trim_trailing_whitespace"),
        ("a.html", "\t<p>\n", "indent_style"),
        ("Makefile", "a:\n  @true\n", "indent_style"),
    ],
)
def test_a_file_that_breaks_a_rule_is_found(name, content, rule):
    assert broken(name, content) == [rule]


@pytest.mark.parametrize("pattern", SECTIONS)
def test_each_section_is_about_a_file_that_is_there(pattern):
    assert any(fnmatch(name, f"**/{pattern}") or fnmatch(name, pattern) for name in tracked())


def test_an_editor_breaks_lines_where_ruff_does():
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert get_properties(str(ROOT / "a.py"))["max_line_length"] == str(ruff["line-length"])


def test_it_is_the_outermost_file():
    parser = configparser.ConfigParser(default_section=None)
    parser.read_string("[before]\n" + (ROOT / ".editorconfig").read_text())
    assert parser["before"]["root"] == "true"

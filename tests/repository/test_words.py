"""Docstrings begin with what the thing does, and five words of a private dialect appear nowhere."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THIS = "tests/repository/test_words.py"  # which names the words
# A folder whose Python is held to both rules is added here; what is held to the words alone, below it.
PARTS = ("src", "bench", "delivery", "tests/delivery")
OTHERS = (
    "tests",
    "assets",
    "ecs",
    ".ci",
    "README.md",
    "CONTRIBUTING.md",
    "pyproject.toml",
    "Makefile",
    ".gitlab-ci.yml",
    ".gitlab",
    "tests/repository/messages.txt",
)
TEXTS = (
    ".py",
    ".html",
    ".xml",
    ".txt",
    ".md",
    ".mako",
    ".toml",
    ".js",
    ".mjs",
    ".scss",
    ".yml",
    ".yaml",
    ".json",
    "Dockerfile",
    "Makefile",
)
NOT_OURS = re.compile(r"requirements\.(txt|in)$")

BANNED = re.compile(r"\b(asked|somebody|whoever|nobody|hears)\b", re.IGNORECASE)
QUESTION = re.compile(r"(What|How|Whether)\b")


def files(part):
    listed = subprocess.run(["git", "ls-files", part], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if name.endswith(TEXTS) and not NOT_OURS.search(name)]


def banned(text):
    return [f"line {number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if BANNED.search(line)]


def questions(source):
    """Return the docstrings of a module that begin with a question word."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = (ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, documented))
    return [text for text in found if QUESTION.match(text)]


@pytest.mark.parametrize("part", [*PARTS, *OTHERS])
def test_no_text_has_a_banned_word(part):
    found = {name: banned((ROOT / name).read_text(encoding="utf-8")) for name in files(part) if name != THIS}
    assert found
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("part", PARTS)
def test_no_docstring_begins_with_a_question_word(part):
    sources = [name for name in files(part) if name.endswith(".py")]
    found = {name: questions((ROOT / name).read_text(encoding="utf-8")) for name in sources}
    assert found
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_a_planted_one_is_found():
    assert banned('x = "Nobody knows"') == ['line 1: x = "Nobody knows"']
    assert banned("a task, tasked with nothing") == []
    assert questions('"""How it works."""\ndef f():\n    """Whether it does."""') == [
        "How it works.",
        "Whether it does.",
    ]
    assert questions('"""However: fine."""') == []

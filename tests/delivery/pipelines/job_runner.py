"""GitLab's runner, as far as the checkout of a job goes: its stages, each a shell of its own, and the real Git.

The commands are those of the docker executor of gitlab-runner 18 (shells/abstract.go). All but the script run in the
helper's container, with a home that is not the script's; and all of them have the job's variables.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.delivery.pipelines.gitlab_ci import Pipeline

PROJECT = "books/colophon"
BASH = shutil.which("bash") or "bash"
Lines = list[str]


class GitLab(BaseHTTPRequestHandler):
    """Git over HTTP, as GitLab gives it."""

    server: Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        given = {
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH": os.environ["PATH"],
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        ended = subprocess.run(["git", "http-backend"], env=given, input=request, capture_output=True, check=True)
        head, _, body = ended.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 -- the library calls it so

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A GitLab with the repositories of a folder, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), GitLab)
        self.folder, self.url = folder, f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,)).start()

    def close(self) -> None:
        """Stop it."""
        self.shutdown()
        self.server_close()


class JobError(AssertionError):
    """A job has failed: in which stage, with which code, and what that said."""

    def __init__(self, stage: str, code: int, said: str) -> None:
        super().__init__(f"{stage} ended with {code}: {said}")
        self.code = code


class Runner:
    """A runner whose builds folder is empty at first; `kept` is where artifacts and caches are, an archive each."""

    def __init__(self, folder: Path, pipeline: Pipeline, url: str) -> None:
        self._builds, self.kept, self._pipeline, self._url = folder / "builds", folder / "kept", pipeline, url
        self._builds.mkdir()
        self.kept.mkdir()
        self._number = 1000

    def folder(self, slot: int = 0) -> Path:
        """Return where the jobs of a slot are checked out."""
        return self._builds / "t3_Sh0rt" / str(slot) / PROJECT

    def play(self, name: str, given: Mapping[str, str], script: Iterable[str], slot: int = 0) -> dict[str, str]:
        """Run a job of the file, but for its script, in whose place these lines run. Raises JobError.

        `given` is what GitLab gives it. Returns what its stages said, by name.
        """
        self._number += 1
        folder, job = self.folder(slot), self._pipeline.jobs_by_name[name]
        own = {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_BUILDS_DIR": str(self._builds),
            "CI_CONCURRENT_ID": str(slot),
            "CI_PROJECT_DIR": str(folder),
            "CI_PROJECT_PATH": PROJECT,
            "CI_JOB_ID": str(self._number),
            "CI_JOB_NAME": name,
            "CI_JOB_STAGE": job["stage"],
            "CI_PIPELINE_ID": "77",
            "CI_SERVER_URL": self._url,
        }
        variables = self._pipeline.variables(name, own | dict(given))
        cache = self.kept / f"cache{'-protected' if given['CI_COMMIT_REF_PROTECTED'] == 'true' else ''}.tar"
        cached = job["cache"].get("paths", [])
        there = [self.kept / f"{other}.tar" for other in self._pipeline.earlier(name, given)]
        stages = {
            "get_sources": _get_sources(folder, f"{self._url}/{PROJECT}.git", variables),
            "restore_cache": _unpack(folder, [cache] if cached else []),
            "download_artifacts": _unpack(folder, there),
            "step_script": [f"cd {folder}", *job["before_script"], *script],
            "archive_cache": _pack(folder, cache, cached),
            "upload_artifacts": _pack(folder, self.kept / f"{name}.tar", job["artifacts"]["paths"]),
        }
        said = {}
        # The containers are made anew for each job, and so are their homes.
        with TemporaryDirectory() as home, TemporaryDirectory() as helper:
            for stage, lines in stages.items():
                mine = stage == "step_script"
                # What .ci/packages installs is there already.
                container = {"PATH": os.environ["PATH"], "HOME": home if mine else helper, "PACKAGES": "there"}
                said[stage] = _run(stage, container | variables, lines, umask=_umask(variables, mine))
        return said


def _umask(variables: Mapping[str, str], mine: bool) -> int:
    """Return the umask of a stage. The documentation of the flag: "Feature flags" of GitLab Runner."""
    kept = variables.get("FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR", "false") in ("1", "true")
    return 0o022 if mine or kept else 0o000


def _run(stage: str, environment: Mapping[str, str], lines: Lines, umask: int) -> str:
    # Of a line that fails, the pipe keeps no code but 1; of an `exit N`, it does. "Feature flags" of GitLab Runner,
    # FF_USE_NEW_BASH_EVAL_STRATEGY, is about this.
    script = quote("\n".join(lines))
    command = [BASH, "-c", f"set -eo pipefail; set +o noclobber; : | eval {script}; exit 0"]
    ended = subprocess.run(
        command,
        cwd="/",
        env=environment,
        umask=umask,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if ended.returncode:
        raise JobError(stage, ended.returncode, ended.stdout)
    return ended.stdout


def _get_sources(folder: Path, url: str, variables: Mapping[str, str]) -> Lines:
    commit, ref, depth = variables["CI_COMMIT_SHA"], variables["CI_COMMIT_REF_NAME"], variables.get("GIT_DEPTH", "20")
    template, git = f"{folder}.tmp/git-template", folder / ".git"
    refs = [f"+{commit}:refs/pipelines/77"]
    if depth == "0":
        refs += ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    else:
        refs += [f"+refs/heads/{ref}:refs/remotes/origin/{ref}", "--depth", depth]
    return [
        f"rm -f {git}/config {git}/{{index,shallow,HEAD,config}}.lock",
        f"rm -rf {git}/hooks {template}",
        f"mkdir -p {template}",
        f"git config --global --add safe.directory {folder}",
        f"git config -f {template}/config init.defaultBranch none",
        f"git config -f {template}/config gc.autoDetach false",
        f"git init {folder} --template {template}",
        f"cd {folder}",
        f"git remote add origin {url} || git remote set-url origin {url}",
        f"git fetch origin --no-recurse-submodules {' '.join(map(quote, refs))} --prune --quiet",
        f"echo 'Checking out {commit[:8]} as detached HEAD (ref is {ref})...'",
        f"git -c submodule.recurse=false checkout -f -q {commit}",
        "git clean -ffdx",
    ]


def _unpack(folder: Path, archives: list[Path]) -> Lines:
    # The helper downloads into a temporary file first.
    each = 'file=$(mktemp); cp {} "$file"; tar -xf "$file"; rm "$file"'
    return [f"cd {folder}", *(each.format(archive) for archive in archives if archive.exists())]


def _pack(folder: Path, archive: Path, paths: Lines) -> Lines:
    """Return the lines that keep what is there of these paths; a path that is not there is no failure."""
    found = f"{{ ls -d {' '.join(map(quote, paths))} || true; }} | tar -cf {archive} --files-from=-"
    return [f"cd {folder}", *([found] if paths else [])]

"""Run command lines as the aws CLI of this Python does, in one process for all.

Each line of the input is a list of words and the variables; each line of the output is what the command wrote, and its
exit code.
"""

import contextlib
import io
import json
import os
import sys

from awscli import clidriver

FOUND = {"AWS_DATA_PATH": os.environ.get("AWS_DATA_PATH", "")}  # what the CLI set when it was imported

for line in sys.stdin:
    words, variables = json.loads(line)
    os.environ.clear()
    os.environ.update({**variables, **FOUND})
    sys.argv = ["aws", *words]
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = clidriver.main()
        except SystemExit as ended:
            code = ended.code
    said = {"output": output.getvalue(), "errors": errors.getvalue(), "code": code}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()

# The menu. `make` prints it; .gitlab-ci.yml and contributors call the same lines.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
# Without PYTHON=, the Python that .venv was made with, while it runs.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell $(BIN)/python -S -c '' 2>/dev/null && echo $(BIN)/python || echo python3)
endif

# A step leaves its exit code in build/exit-code, for make ends with 2 whatever it is: a pipeline's line is
# `make deploy || exit $(cat build/exit-code)`. Until the step itself has ended it is 1, so that no earlier one's is read.
STEPS := scan build scan-image push plan preflight deploy rollback rotate status history stacks
ifneq ($(filter $(STEPS),$(MAKECMDGOALS)),)
$(shell mkdir -p build && echo 1 >build/exit-code)
endif

help: ## Print this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: ## Create or repair .venv; every other line does so by itself (FOR="test delivery" says what it is for)
	@$(SETUP) $(FOR)

run: setup-run ## Serve the site on http://127.0.0.1:8000 (PORT=, HOST=, DATABASE_URL=, and the README's other settings)
	@exec $(BIN)/python -m colophon serve

dev: setup-run ## Serve the site while you work on it: a change shows at once, an error opens a debugger (PORT=, DATABASE_URL=; for this machine alone)
	@case "$${HOST:-127.0.0.1}" in 127.0.0.1 | ::1 | localhost) ;; *) \
	  echo "make dev serves this machine alone, for its debugger runs code: HOST is 127.0.0.1, ::1 or localhost, not $$HOST." >&2; exit 2 ;; esac
	@$(BIN)/python -m colophon prepare
	@exec $(BIN)/python -m flask --app colophon run --debug --host "$${HOST:-127.0.0.1}" --port "$${PORT:-8000}" \
	  --extra-files src/colophon/static/manifest.json

quick: setup-test ## Lint, and run the tests that take no browser, no engine and no PostgreSQL: a minute
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(PYTEST) --quick

test: setup-test $(if $(CI),setup-delivery) $(if $(TESTS),,check) ## Run everything that can run on this machine; TESTS= runs those tests alone, CI=true allows no skipping
ifdef TESTS
	@$(PYTEST) $(TESTS)
else
	@mkdir -p build && rm -f build/tested build/junit.xml build/coverage.xml
	@git describe --always --dirty --abbrev=40 --exclude='*' > build/testing 2>/dev/null || true
	@$(PYTEST) --cov --cov-report=term --cov-report=xml:build/coverage.xml --junitxml=build/junit.xml
# The build takes the reports for evidence, which are of the whole suite and name its commit.
	@mv build/testing build/tested
endif

check: setup-test ## Lint, check types and the walls between modules
	@mkdir -p build
	@$(BIN)/ruff check --exit-zero --quiet --output-format=gitlab --output-file=build/code-quality.json
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

scan: setup-delivery ## Look for secrets, misconfigurations, licences and vulnerabilities (SCAN_OFFLINE=1 skips the last)
	@$(BIN)/python -m delivery scan

build: setup-delivery ## Build the image of the commit that is checked out, its passport baked in (needs Docker; BASE= names another base)
	@$(BIN)/python -m delivery build

scan-image: setup-delivery ## Scan that image, its operating system too, and write the verdict into its passport; required before push
	@$(BIN)/python -m delivery scan-image

push: setup-delivery ## Push that image to the registry, tagged with its commit
	@exec $(BIN)/python -m delivery push $(ARGS)

plan: setup-delivery ## Show what deploy would change on AWS
	@exec $(BIN)/python -m delivery plan $(ARGS)

preflight: setup-delivery ## Check everything that deploy needs, and change nothing
	@exec $(BIN)/python -m delivery preflight $(ARGS)

deploy: setup-delivery ## Release the commit that is checked out, and prove that the site serves it (ARGS=--help says more)
	@exec $(BIN)/python -m delivery deploy $(ARGS)

rollback: setup-delivery ## Go back to the last release that was proven
	@exec $(BIN)/python -m delivery rollback $(ARGS)

rotate: setup-delivery ## Change the password of the database that the site serves with (for an administrator)
	@exec $(BIN)/python -m delivery rotate $(ARGS)

status: setup-delivery ## Show what runs
	@exec $(BIN)/python -m delivery status $(ARGS)

history: setup-delivery ## List the deployments by their receipts
	@exec $(BIN)/python -m delivery history $(ARGS)

try: setup-test ## Try the image that was built, and compose with it (needs Docker)
# In this folder, not in /tmp: the engine opens the files that compose names, and from a job's container it sees this one.
	@$(PYTEST) --dist=loadfile --basetemp=build/try tests/image

try-emulator: setup-test setup-delivery setup-rehearsal ## Try the emulator of AWS that the rehearsal plays on (needs Docker; BASE= names another base)
	@$(PYTEST) --dist=loadfile tests/emulator/tests/with_engine tests/rehearsal/tests/with_engine \
	  tests/emulator/tests/scripted tests/rehearsal/tests/scripted

rehearse: setup-delivery setup-rehearsal tests/rehearsal/runner/node_modules/.package-lock.json ## Play the delivery, good and broken, on an emulator of AWS, with visitors (SCENE= chooses, ARGS=--list lists; needs Docker and npm; ENV= plays on that environment's account)
	@exec $(BIN)/python -m tests.rehearsal $(if $(filter command,$(origin ENV)),--env=$(ENV)) $(ARGS) $(SCENE)

up: ## Start the site with PostgreSQL and the edge in containers, as `docker compose up --wait` does (PORT=)
	@docker compose up --wait
	@echo "Colophon is at http://127.0.0.1:$${PORT:-8000} (make down stops it)"

down: ## Stop those containers; the database stays in its volume
	@docker compose down

stacks: setup-delivery ## Make or change the AWS stacks of ecs/, each difference shown first (ARGS=--help says more)
	@$(BIN)/python -m delivery stacks $(ARGS)

format: setup-test ## Format the code
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

assets: assets/node_modules/.package-lock.json ## Rebuild the built assets from assets/ (needs Node)
	@node assets/build.mjs

bench: setup-bench ## Pages per second, beside nginx and a minimal Django page (needs nginx and wrk)
	@$(BIN)/python -m bench

memory: setup-run ## Memory of the server's processes, as they are and with nothing shared between them (Linux)
	@$(BIN)/python -m bench.memory

lock: setup-lock ## Renew the locked requirements, with hashes, from pyproject.toml
	@$(COMPILE) pyproject.toml --output-file src/requirements.txt
	@$(COMPILE) pyproject.toml --group test --constraint src/requirements.txt --output-file tests/requirements.txt
	@$(COMPILE) --group delivery --constraint tests/requirements.txt --output-file delivery/requirements.txt
	@$(COMPILE) bench/requirements.in --output-file bench/requirements.txt
	@$(COMPILE) --group pyproject.toml:rehearsal --output-file tests/emulator/requirements.txt
	@$(COMPILE) --group pyproject.toml:lock --output-file .ci/requirements.txt

hooks: setup-test ## Have Git check what you commit, for a second: ruff, merge markers, large files (.venv/bin/prek uninstall ends it)
	@$(BIN)/prek install

clean: ## Remove what was built and installed; the database in var/ stays
	@rm -rf .venv build assets/node_modules tests/rehearsal/runner/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Some environments keep Python from storing what it compiled; each of the hundreds of processes would compile all anew.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
# A Python that is too old for the script reads this much, and says so.
SETUP = "$(PYTHON)" -E -s -S -c 'import sys; \
  sys.version_info < (3, 11) and sys.exit("Colophon needs Python 3.11 or newer, and %s is %s. Name another: \
  make PYTHON=python3.13" % (sys.executable, sys.version.split()[0])); \
  import runpy; runpy.run_path("delivery/commands/setup.py", run_name="__main__")'

setup-%:
	@$(SETUP) $*

# GitHub follows no links here, so it has copies.
.github:
	@cp .gitlab/CODEOWNERS .gitlab/SECURITY.md $@
	@cp .gitlab/merge_request_templates/Default.md $@/pull_request_template.md

%/node_modules/.package-lock.json: %/package-lock.json
	@npm --prefix $* ci --no-audit --no-fund

.PHONY: help setup run dev quick test check scan build scan-image push plan preflight deploy rollback rotate status history try try-emulator rehearse up down stacks format assets bench memory lock hooks clean .github

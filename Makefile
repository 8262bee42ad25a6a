# Logboom: `make help` lists the verbs.
#
# PYTHON makes the virtual environment (3.11 or newer). ARGS goes to the command behind a verb:
#   make up ARGS=--detach    make test ARGS="tests/unit -k envelope"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# What a production process would be given: `make check` looks at the settings the way a deployment has them.
PRODUCTION := SECRET_KEY_FILE=$(VENV)/check-key PUBLIC_URL=https://logs.example.org TRUST_PROXY=1 \
	DATABASE_URL=postgresql://logboom@db.example.org/logboom ALLOWED_HOSTS=logs.example.org \
	BROKER_URL=redis://broker.example.org/0 CACHE_URL=redis://cache.example.org/0

# The tests that `make test` runs a second time, with every batch going through a spill file.
UP := tests/acceptance/test_up.py::test
SPILLED := tests/integration/test_spill_always.py tests/integration/test_pump.py \
	tests/integration/test_crash_points.py tests/integration/test_worker_process.py \
	$(UP)_the_printed_curl_sends_a_line_that_search_finds \
	$(UP)_lines_go_through_a_spill_file_where_the_environment_says_so

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MAKE_BEGAN := $(shell date +%s)

.DEFAULT_GOAL := help
.PHONY: help up down status test check format bench chaos timescale docs
.NOTPARALLEL:

help: ## list these verbs
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

up: $(VENV)/local ## install, start everything on this machine and print the first three minutes
	@$(BIN)/python manage.py up $(ARGS)

down: $(VENV)/local ## stop it; data and secrets stay
	@$(BIN)/python manage.py down $(ARGS)

status: $(VENV)/local ## what runs here, and whether it is ready
	@$(BIN)/python manage.py status

test: $(VENV)/dev ## every test, on real servers
	@sh .ci/timescale.sh $(BIN)/python
	$(BIN)/python -m pytest $(ARGS)
ifeq ($(strip $(ARGS)),)
	@echo "Once more what is about lines on their way, now each through a spill file:"
	SPILL_ALWAYS=1 CRASH_ROUNDS=1 $(BIN)/python -m pytest $(SPILLED)
endif

check: $(VENV)/dev ## what a machine can hold: style, types, imports, migrations, deployment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	SECRET_KEY=types $(BIN)/mypy
	$(BIN)/lint-imports
	@echo "only for checks of this directory: $$(head -c 32 /dev/urandom | base64)" > $(VENV)/check-key
	@# No database answers here, and makemigrations would warn about it.
	env $(PRODUCTION) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	env $(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python -m webapp.local.configuration --check
	$(BIN)/python -m webapp.local.bundle check

format: $(VENV)/dev ## put the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev ## lines a second, CPU a line, latencies; each beside the floor
	$(BIN)/python -m tests.bench $(ARGS)

chaos: $(VENV)/dev ## kills, outages and full disks under load, then every line counted; ARGS=long: 15 minutes
	$(BIN)/python -m tests.chaos $(ARGS)

timescale: $(VENV)/local ## a TimescaleDB (Apache edition) beside the system; then `make up` starts on it
	@$(BIN)/python -m webapp.local.timescale

docs: $(VENV)/local ## write docs/configuration.md from the code
	@$(BIN)/python -m webapp.local.configuration

# ---- the virtual environment: rebuilt only when what it is made from changed ----

$(VENV)/made:
	@sh .ci/venv.sh "$(PYTHON)" $(VENV)
	@touch $@

$(VENV)/local: requirements.txt requirements-local.txt | $(VENV)/made
	@sh .ci/install.sh $(BIN)/python requirements-local.txt
	@touch $@

$(VENV)/dev: requirements.txt requirements-local.txt requirements-dev.txt | $(VENV)/made
	@sh .ci/install.sh $(BIN)/python requirements-dev.txt
	@touch $@

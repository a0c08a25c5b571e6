# Everything a person does with a checkout. `make help` lists it; docs/operations/ explains it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# make up ORDERTRAIL_ORDER_PORT=9001: settings given to make reach the programs
export
unexport PYTHON BIN
# every program compiles all it imports at every start where nothing compiled may be kept; git ignores what is kept
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env up down status logs clean doctor test check texts format lock generate bench demo image

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: ## the Python environment (.venv) from requirements.lock; every other target makes it when it is missing
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing -- install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) deploy/environment.py

up: env ## start everything on this machine, wait until it is ready, print addresses and sign-ins
	@$(BIN)/python -m cli up

down: env ## stop everything; the data stays
	@$(BIN)/python -m cli down

status: env ## what runs, since when, with how much memory
	@$(BIN)/python -m cli status

logs: env ## follow the logs of everything; NAMES="order kafka" narrows it
	@$(BIN)/python -m cli logs --follow $(NAMES)

clean: env ## stop everything and delete its data, logs and secrets (.run)
	@$(BIN)/python -m cli clean --yes

doctor: env ## what this machine has and lacks
	@$(BIN)/python -m cli doctor

demo: env ## play an order's journey on the running installation, step by step
	@$(BIN)/python -m cli demo

check: env ## lint, types, import rules, generated files, unit tests: no services needed
	@$(BIN)/python -m deploy.check

test: check ## all tests, against a real PostgreSQL and a real Kafka
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),--ignore tests/unit --numprocesses 2 --dist loadfile --no-loadscope-reorder)

bench: env ## the benchmarks, with their goals
	@$(BIN)/python -m benchmarks

generate: env ## write the generated files anew: JSON Schemas, AsyncAPI
	@$(BIN)/python -m contracts.generate

texts: env ## find the texts anew, and write the catalogues of translations with what is new in them
	@$(BIN)/python -m deploy.texts

format: env ## format the code
	@$(BIN)/ruff check --fix --quiet . && $(BIN)/ruff format --quiet .

lock: env ## resolve the dependencies anew: requirements.lock, requirements-image.lock, Kafka's jars
	@$(BIN)/python -m deploy.lock

image: ## the container image
	docker build --file deploy/Dockerfile --tag ordertrail .

# `make run` chats, `make test` checks everything. Both prepare what they need; the second time they need no network.
#
# Variables: EXTRA=cpu|cuda12|cuda13|metal chooses the engine, PYTHON=/path/to/python3 the interpreter. HOST, PORT,
# DEFAULT_MODEL and every other setting of .env.example reach the server: make run PORT=9000

EXTRA ?= $(if $(filter Darwin,$(shell uname -s)),metal,cpu)
BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test soak schemas tool-calls file-races check-fast lint format openapi compatibility lock set-up set-up-dev openblas clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):[^#]*## /  make \1	/' | expand -t 20

run: set-up openblas ## Start the server with a model that answers
	@$(BIN)/cortex serve

test: lint openblas ## Check everything: format, lint, types, imports, all tests with the real starter model, coverage
	$(BIN)/python -m pytest --cov --cov-report=term

soak: set-up-dev openblas ## Mistreat servers for as long as it takes: the long form of tests/reliability
	CORTEX_SOAK=1 $(BIN)/python -m pytest tests/reliability tests/domain/use_cases/test_agent_run_histories.py -o faulthandler_timeout=7200

schemas: set-up-dev openblas ## Have the starter model fill all two hundred JSON Schemas of tests/adapters/mlx/schemas.py
	CORTEX_ALL_SCHEMAS=1 $(BIN)/python -m pytest tests/adapters/mlx/test_schemas.py -o faulthandler_timeout=7200

tool-calls: set-up-dev openblas ## Have the starter model make a hundred calls of twenty tools
	CORTEX_ALL_TOOL_CALLS=1 $(BIN)/python -m pytest tests/adapters/mlx/test_forced_calls.py -o faulthandler_timeout=7200

file-races: set-up-dev ## Swap directories for links for ten seconds while files of the workspace are used in each way
	CORTEX_LONG_RACES=1 $(BIN)/python -m pytest -s tests/adapters/workspace_files/test_races.py

check-fast: lint ## Check everything that needs no model
	$(BIN)/python -m pytest -m "not real_model"

lint: set-up-dev ## Check format, lint, types and import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: set-up-dev ## Format the code and mend what the linter can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

openapi: set-up-dev ## Write contracts/api/openapi.json from the routes
	$(BIN)/python -m cortex_entrypoints.write_openapi contracts/api/openapi.json

compatibility: set-up-dev ## Write docs/compatibility.md from what the dialects do
	$(BIN)/python -m cortex_entrypoints.http.compatibility.write_page docs/compatibility.md

lock: ## Write requirements/*.txt from pyproject.toml; UPGRADE=1 takes newer versions. Needs uv
	scripts/lock.sh

set-up:
	@scripts/set_up.sh $(EXTRA) starter

set-up-dev:
	@scripts/set_up.sh $(EXTRA) starter dev

openblas:
	@$(if $(filter cpu,$(EXTRA)),scripts/install_openblas.sh,:)

clean: ## Remove the environment and everything that tools left behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist build

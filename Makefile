# Tidegate. Needs only python3 (3.11 or newer), make and git; everything else is installed into
# .venv and .local.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check lint types up down status openapi routes bench package validate deploy aws-check lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@echo "installing the development environment into $(VENV) (once, about two minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq -r requirements/dev.txt
	@$(BIN)/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ready ## run the main job and narrate it (EXIT=1 stops at the end)
	@$(BIN)/python -m infra.demo $(if $(EXIT),--exit)

.local/node/.ready: requirements/node/package-lock.json
	@mkdir -p .local/node && cp requirements/node/*.json .local/node/
	@if command -v npm >/dev/null; then echo "installing asl-validator into .local/node (once)"; \
	 npm ci --prefix .local/node --silent --no-audit --no-fund; else \
	 echo "npm is absent: the tests that need asl-validator will be skipped, saying so"; fi
	@touch $@

test: $(VENV)/.ready .local/node/.ready ## everything CI runs; ends with pytest's summary
	@$(MAKE) --no-print-directory lint types validate
	@$(BIN)/pytest -n 2 --dist loadgroup $(if $(LONG),--long)

check: test ## what CI runs

lint: $(VENV)/.ready ## ruff and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/python -m tidegate.routers check

types: $(VENV)/.ready ## mypy, strict
	@$(BIN)/mypy
	@$(BIN)/mypy infra/local infra/demo infra/package infra/operate

.local/tools/.ready: requirements/tools.txt
	@echo "installing sam and cfn-lint into .local/tools (once, about one minute)"
	@$(PYTHON) -m venv .local/tools
	@.local/tools/bin/pip install -qq -r requirements/tools.txt
	@touch $@

validate: .local/tools/.ready ## sam validate --lint and cfn-lint on every template
	@AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 .local/tools/bin/sam validate --lint --template template.yaml
	@.local/tools/bin/cfn-lint --regions us-east-1 --non-zero-exit-code informational -- template.yaml infra/observability.yaml infra/onboarding/*.yaml && echo "cfn-lint: 0 findings"

up: $(VENV)/.ready ## start the local cloud and deploy template.yaml to it
	@$(BIN)/python -m infra.local up

down: $(VENV)/.ready ## stop the local cloud; its data is kept
	@$(BIN)/python -m infra.local down

status: $(VENV)/.ready ## what of the local cloud runs
	@$(BIN)/python -m infra.local status

routes: $(VENV)/.ready ## print the route table
	@$(BIN)/python -m tidegate.routers list

openapi: $(VENV)/.ready ## write docs/openapi.json
	@$(BIN)/python -m tidegate.routers openapi

bench: $(VENV)/.ready ## benchmarks as ratios, written to docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks.run

package: $(VENV)/.ready ## build the arm64 deployment artefacts; check sizes and imports
	@$(BIN)/python -m infra.package

deploy: .local/tools/.ready ## deploy to your AWS account
	@.local/tools/bin/sam build && .local/tools/bin/sam deploy --guided

aws-check: $(VENV)/.ready ## check on your AWS account what no double proves (GO=1 carries it out)
	@$(BIN)/python -m infra.operate --stack $(or $(STACK),tidegate) aws-check $(if $(GO),--yes)

lock: ## pin every transitive dependency again
	@$(PYTHON) requirements/lock.py

clean: ## remove what was built; .local keeps the local cloud's data
	@rm -rf .build .pytest_cache .mypy_cache .ruff_cache .hypothesis

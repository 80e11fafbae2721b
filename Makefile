# Mingjian: `make run` starts everything, `make test` checks everything.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed-$(shell cksum < pyproject.toml | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help run test quick lint openapi diagrams permissions clean

help:  ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Mingjian needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing dependencies (the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@rm -f .venv/.installed-*; touch $@

venv: $(STAMP)  ## make the virtual environment

run: $(STAMP)  ## start database, web and worker with the demonstration province
	@exec $(BIN)/python -m app.run --with-parent

test: $(STAMP)  ## every check and every test, with its own database
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered --cov-report=json:var/coverage.json
	@$(BIN)/python tests/coverage_floor.py var/coverage.json

quick: $(STAMP)  ## the inner loop: fast tests only
	@$(BIN)/ruff check --quiet . && $(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not slow'

lint: $(STAMP)  ## style, types, import contracts, licences of what we depend on
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest tests/test_codebase.py -k licence --no-header

openapi: $(STAMP)  ## write openapi.yaml from the code
	@MINGJIAN_MODE=test $(BIN)/flask --app app contract write

diagrams: $(STAMP)  ## write docs/workflows from the charts
	@MINGJIAN_MODE=test $(BIN)/flask --app app contract diagrams

permissions: $(STAMP)  ## write docs/permissions.md by trying every role on a real database
	@WRITE_PERMISSIONS=1 $(BIN)/python -m pytest tests/app/test_permissions.py

clean:  ## remove the virtual environment and everything under var/
	@rm -rf .venv var build *.egg-info

# Everything a person types. `make` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test drill check lint types format contracts vectors bench bench-state docs clean

VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest
PATHS := src tests tools bench
FORGE := node_modules/.bin/forge
# Tests that need a Debian package run only with SYSTEM=1 (as in .ci/run).
MARKS := $(if $(SYSTEM),,-m "not system")

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Play real swaps on two local chains (KEEP=1 leaves everything running)
	@tools/install prod devnet
	@$(VENV)/bmn demo $(if $(KEEP),--keep) $(ARGS)

test: ## Run every test (SYSTEM=1 also those that need Debian packages)
	@tools/install dev contracts devnet
	@$(if $(SYSTEM),:,echo "Left out without SYSTEM=1:"; $(PYTEST) -m system --collect-only -qq --no-header | grep "::" || echo "  nothing")
	$(PYTEST) -n 2 $(MARKS) $(ARGS)

drill: ## Run the drills at full count, write docs/reliability.md (goes on where it was stopped)
	@tools/install dev contracts devnet
	@$(VENV)/python -m tools.drills $(ARGS)

check: lint types ## Format, lint, types, layers, unit and property tests
	$(PYTEST) -n 2 tests/unit tests/property tests/house $(ARGS)

lint: ## Check format, rules and import layers
	@tools/install dev
	$(VENV)/ruff format --check $(PATHS)
	$(VENV)/ruff check $(PATHS)
	$(VENV)/lint-imports

types: ## Check types strictly
	@tools/install dev
	$(VENV)/mypy

format: ## Format and fix what can be fixed
	@tools/install dev
	$(VENV)/ruff format $(PATHS)
	$(VENV)/ruff check --fix $(PATHS)

contracts: ## Build and test the contracts, write the package's artifacts
	@tools/install contracts devnet
	cd contracts && $(FORGE) test && node tools/export.mjs

vectors: ## Run the golden vectors (BMN_VECTORS=DIR reads another folder)
	@tools/install dev contracts devnet
	@$(VENV)/python -m tests.vector_runner

bench: ## Measure the numbers we publish: gas beside the reference
	@tools/install contracts
	@cd contracts && $(FORGE) test > /dev/null && node tools/gas.mjs

bench-state: ## Compare the state engine with Deno KV (QUICK=1 a short pass, OUT=FILE the figures as JSON)
	@tools/install dev deno
	@$(VENV)/python -m bench.state $(if $(QUICK),--quick) $(if $(OUT),--out "$(OUT)") $(ARGS)

docs: ## Draw the documents that are made from code
	@tools/install dev
	$(VENV)/python -m tools.swap_states

clean: ## Remove everything made here; never data (.bmn)
	rm -rf .venv contracts/node_modules contracts/devnet/node_modules bench/peers/deno/node_modules contracts/out contracts/cache contracts/devnet/out
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +

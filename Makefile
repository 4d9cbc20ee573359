.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV := uv==0.13.9

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check '$(UV)'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e '.[dev]'
	@touch $@

.venv-emulator/ready: constraints-emulator.txt
	$(PYTHON) -m venv .venv-emulator
	.venv-emulator/bin/pip install --quiet --disable-pip-version-check '$(UV)'
	.venv-emulator/bin/uv pip install --quiet --python .venv-emulator/bin/python --compile-bytecode -r constraints-emulator.txt
	HOME=$(CURDIR)/.venv-emulator .venv-emulator/bin/python -c 'import duckdb_extensions; duckdb_extensions.import_extension("spatial")'
	@touch $@

.venv-feast/ready: constraints-feast.txt
	$(PYTHON) -m venv .venv-feast
	.venv-feast/bin/pip install --quiet --disable-pip-version-check '$(UV)'
	.venv-feast/bin/uv pip install --quiet --python .venv-feast/bin/python --compile-bytecode -r constraints-feast.txt
	@touch $@

.venv-frameworks/ready: constraints-frameworks.txt
	$(PYTHON) -m venv .venv-frameworks
	.venv-frameworks/bin/pip install --quiet --disable-pip-version-check '$(UV)'
	.venv-frameworks/bin/uv pip install --quiet --python .venv-frameworks/bin/python --compile-bytecode -r constraints-frameworks.txt
	@touch $@

.venv-bytewax/ready: constraints-bytewax.txt
	$(PYTHON) -m venv .venv-bytewax
	.venv-bytewax/bin/pip install --quiet --disable-pip-version-check '$(UV)'
	.venv-bytewax/bin/uv pip install --quiet --python .venv-bytewax/bin/python --compile-bytecode -r constraints-bytewax.txt
	@touch $@

.venv-audit/ready: constraints-audit.txt
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check '$(UV)'
	.venv-audit/bin/uv pip install --quiet --python .venv-audit/bin/python --compile-bytecode -r constraints-audit.txt
	@touch $@

.venv-runtime/ready: pyproject.toml constraints.txt .venv-audit/ready
	$(PYTHON) -m venv --without-pip .venv-runtime
	.venv-audit/bin/uv pip install --quiet --python .venv-runtime/bin/python -c constraints.txt '.[all]'
	@touch $@

# The provider's wheel is only read, as the list of the arguments that Terraform's Google provider takes.
.venv-deploy/ready: constraints-deploy.txt
	$(PYTHON) -m venv .venv-deploy
	.venv-deploy/bin/pip install --quiet --disable-pip-version-check '$(UV)'
	.venv-deploy/bin/uv pip install --quiet --python .venv-deploy/bin/python --compile-bytecode -r constraints-deploy.txt
	.venv-deploy/bin/pip download --quiet --disable-pip-version-check --no-deps -d .venv-deploy/providers 'cdktf-cdktf-provider-google==16.12.1'
	@touch $@

.PHONY: demo
demo: .venv/ready ## The whole job on embedded parts: simulate, compute, check, publish, switch, read, train, score
	$(BIN)/bnpl-features demo

.PHONY: demo-drift
demo-drift: .venv/ready ## Drift is injected, a daemon retrains: a challenger on trial that nobody asked for
	$(BIN)/bnpl-features demo-drift

.PHONY: up
up: .venv/ready ## The console, Dagster, the prediction service and a simulated day on the demo's data; stop with Ctrl-C
	$(BIN)/bnpl-features up

.PHONY: job
job: .venv/ready ## Your own purchases: make job FILE=purchases.parquet FROM=2026-11-18 TO=2026-11-20 [ZONE=UTC]
	$(BIN)/bnpl-features load $(FILE) $(if $(ZONE),--assume-timezone $(ZONE))
	$(BIN)/bnpl-features run --from $(FROM) --to $(TO) --publish-each

.PHONY: test
# Temporary files in memory, where there is such a place: Dagster's SQLite files would wait for the disk.
test: export PYTEST_DEBUG_TEMPROOT := $(wildcard /dev/shm)
# Where the environment forbids bytecode, each worker and each process that one starts would compile all modules anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/ready .venv-emulator/ready .venv-feast/ready .venv-deploy/ready ## All tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

.PHONY: drill
drill: .venv/ready ## Proofs that take minutes: switches under load, publishers killed, primaries lost, the telephone
	$(BIN)/pytest -m drill -s tests/drills tests/test_bigquery_job.py $(PYTEST)

.PHONY: guides
guides: .venv/ready ## The tutorial and the how-to guides as the programs that they are: two minutes
	$(BIN)/pytest -m drill tests/drills/test_documentation.py

.PHONY: lint
lint: .venv/ready ## Format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: sbom
sbom: .venv-runtime/ready ## What is installed in production, with licences, as CycloneDX: dist/sbom.cdx.json
	@mkdir -p dist
	.venv-audit/bin/cyclonedx-py environment .venv-runtime --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --output-file dist/sbom.cdx.json

.PHONY: audit
audit: .venv-audit/ready ## Known vulnerabilities of what is pinned; fails where the service of OSV does not answer
	.ci/audit

.PHONY: bench
bench: .venv/ready .venv-feast/ready .venv-bytewax/ready ## Benchmarks, each beside a peer and the physical limit
	$(BIN)/python -m benchmarks

.PHONY: scale
scale: .venv/ready ## The daily job at 0.1, 1 and 10 million customers: seconds and memory by step (half an hour)
	$(BIN)/python -m benchmarks.daily --write docs/scale.md

.PHONY: proof
proof: .venv/ready ## Ten minutes of load with switches, a retraining and a failover inside; writes docs/load.md
	$(BIN)/python -m benchmarks.proof --write docs/load.md

.PHONY: docs
docs: .venv/ready ## Write the generated pages, the dashboards and the table of purchases from the declarations
	$(BIN)/bnpl-features features --write-reference docs/features.md
	$(BIN)/bnpl-features catalogue --declared --out docs/catalogue.html
	$(BIN)/bnpl-features metrics --write-reference docs/metrics.md
	$(BIN)/python -m bnpl_features.cli.reference docs/commands.md
	$(BIN)/bnpl-features store-users --write-reference docs/operations.md
	$(BIN)/bnpl-features plan --write-reference docs/bigquery-plan.md
	$(BIN)/python -m deploy.monitoring.panels
	$(BIN)/python -m deploy.terraform.schema

.PHONY: site
site: .venv/ready ## Build the documentation as a site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

.PHONY: wheel
wheel: .venv/ready ## Build the release's wheel and source archive in dist/
	$(BIN)/uv build --quiet --out-dir dist

.PHONY: screenshots
screenshots: .venv/ready ## Take the pictures of docs/console.md anew, after `make demo`
	$(BIN)/python -m tests.screenshots

.PHONY: pins
pins: .venv/ready ## Resolve constraints.txt anew, and constraints-audit.txt
	printf 'cyclonedx-bom\npip-audit\n' | $(BIN)/uv pip compile - --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate --quiet -o constraints-audit.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate --quiet -o constraints.txt

.PHONY: clean
clean: ## Remove what demo, up, test, site and wheel made (virtual environments stay)
	rm -rf .bnpl site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Set-up and checks. Needs Python 3.11 to 3.13 and make; `make check` also needs Node.
.DEFAULT_GOAL := help
.PHONY: help hello test test-slow lessons check bench lock clean

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := python3.13 python3.12 python3.11 python3 python
PYRIGHT := tools/pyright/node_modules/.package-lock.json

# Without byte code every process starts three times slower.
export PYTHONDONTWRITEBYTECODE :=

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s%s\n", $$1, $$2}'

hello: $(VENV)/run.stamp ## install landmass into .venv and solve the land puzzle
	@$(BIN)/landmass hello

# Two processes, each with a core to itself and a file at a time, so that a file's fitted models are made once; in order
# of their names, because xdist would leave long files of few tests to the end, where one process waits for the other.
TWO := --numprocesses 2 --dist loadfile --no-loadscope-reorder

test test-slow: export OMP_NUM_THREADS := 1

# The suite compiles more than it computes, and most programs run once. `make test-slow` compiles as users do.
test: export XLA_FLAGS := --xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true \
	--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_use_fusion_emitters=false $(XLA_FLAGS)
test: $(VENV)/dev.stamp ## run the tests (PYTEST="-k box" passes options on)
	@$(BIN)/python -m pytest $(TWO) $(PYTEST)

test-slow: $(VENV)/dev.stamp ## run the long tests
	@$(BIN)/python -m pytest -m slow $(TWO) $(PYTEST)

lessons: $(VENV)/dev.stamp ## run the lessons at small size
	@$(BIN)/python -m pytest -m lesson $(PYTEST)

check: $(VENV)/dev.stamp $(PYRIGHT) ## check format, lint, types, layers, locks and files
	@failed=; \
	for step in \
	  "$(BIN)/ruff format --check --quiet" \
	  "$(BIN)/ruff check --quiet" \
	  "tools/pyright/node_modules/.bin/pyright --warnings" \
	  "$(BIN)/lint-imports --cache-dir .cache/import-linter --no-logo" \
	  "$(BIN)/python tools/check_locks.py" \
	  "$(BIN)/python tools/check_files.py"; \
	do $$step || failed="$$failed\n  $$step"; done; \
	[ -z "$$failed" ] || { printf "Failed:$$failed\n"; exit 1; }

bench: $(VENV)/dev.stamp ## run every benchmark
	@set -e; for script in $(wildcard benchmarks/[a-z]*.py); do echo "== $$script"; $(BIN)/python "$$script"; done

# uv keeps the pins it finds and adds what is missing; UPGRADE=--upgrade takes the newest of everything.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
lock: $(VENV)/uv.stamp ## make the locks anew from pyproject.toml (UPGRADE=--upgrade: newest versions)
	@test -x $(BIN)/uv || { echo "make lock needs uv, which could not be installed here"; exit 1; }
	@$(LOCK) $(UPGRADE) --group installer -o requirements/uv.txt >/dev/null
	@$(LOCK) $(UPGRADE) pyproject.toml --group build --group dev -o requirements/dev.txt >/dev/null
	@$(LOCK) $(UPGRADE) pyproject.toml --group build -c requirements/dev.txt -o requirements/run.txt >/dev/null
	@cd tools/pyright && npm install --package-lock-only --silent

clean: ## remove everything installed, cached or built here
	rm -rf $(VENV) .cache build dist tools/pyright/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. A stamp is newer than what it was made from, so nothing is installed twice.
INSTALL = if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install --quiet --python $(BIN)/python "$$@"; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$@"; fi

$(VENV)/uv.stamp: requirements/uv.txt
	@for python in $(PYTHONS); do \
	  $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	    && break; python=; \
	done; \
	[ -n "$$python" ] || { \
	  echo "landmass needs Python 3.11, 3.12 or 3.13 with venv, and found none of: $(PYTHONS)."; \
	  echo "Install one (on Debian or Ubuntu: apt-get install python3 python3-venv) and run make again."; exit 1; }; \
	echo "Installing into $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
	  -r requirements/uv.txt || echo "uv is not to be had here; pip goes on, more slowly"
	@touch $@

$(VENV)/run.stamp: $(VENV)/uv.stamp requirements/run.txt pyproject.toml
	@set -- --only-binary :all: --require-hashes -r requirements/run.txt; $(INSTALL)
	@set -- --no-deps --no-build-isolation -e .; $(INSTALL)
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@set -- --only-binary :all: --require-hashes -r requirements/dev.txt; $(INSTALL)
	@touch $@

$(PYRIGHT): tools/pyright/package-lock.json
	@command -v npm >/dev/null || { \
	  echo "make check needs Node for the type checker (on Debian or Ubuntu: apt-get install nodejs npm)."; exit 1; }
	@cd tools/pyright && npm ci --silent
	@touch $@

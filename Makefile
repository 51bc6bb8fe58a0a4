# GNU make. `make help` lists the targets.

PYTHON ?= python3
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# What the tests need and the environment cannot hold:
#   .mpi/mpich      the MPICH wheel (its mpirun would overwrite Open MPI's in .venv)
#   .mpi/openmpi4   Debian's Open MPI 4.1, unpacked
#   .mpi/sshd       Debian's sshd, unpacked, or a link to the machine's own
#   .mpi/notebook   the kernel of notebooks
#   .mpi/flyte      flytekit and its MPI plugin beside this package, an environment of its own
# An MPI is a prefix with bin/mpirun and lib/; MPI4PY_LIBMPI=PREFIX/lib makes the mpi4py of .venv use
# it, so one environment serves all three. MPIJOB_MPI_PATH names them to what runs here, that of
# .venv first, so that a job that does not choose runs on it.
MPI := .mpi
export MPIJOB_MPI_PATH := $(CURDIR)/$(BIN):$(CURDIR)/$(MPI)/mpich/bin:$(CURDIR)/$(MPI)/openmpi4/bin
UV := $(BIN)/uv
# uv reads no file of the user's; the variables that say which index to use still count.
export UV_NO_CONFIG := 1
export UV_NO_PROGRESS := 1
# Tests are compiled once, not anew in each process of each run.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest
WORKERS ?= 2
# Tests with a real Kubernetes wait much of their time.
REAL_WORKERS ?= 3

.PHONY: help setup mpi fmt lint check quick test server real soak sim bench demo lock clean

include tests/real/cluster.mk

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# An installed package has bytecode. Where Python may not write any (PYTHONDONTWRITEBYTECODE), each
# command would compile anew what it imports.
setup: $(VENV)/.done ## Make the environment in .venv; a second run installs nothing.
	@$(BIN)/python -m compileall -q src

$(VENV)/.python: requirements/uv.lock tools/choose-python
	@python=$$(tools/choose-python $(PYTHON)); \
	echo "making $(VENV) with $$python"; \
	"$$python" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --no-input --disable-pip-version-check --no-deps \
	    --only-binary :all: --require-hashes -r requirements/uv.lock
	@touch $@

$(VENV)/.done: $(VENV)/.python requirements/dev.lock pyproject.toml
	@$(UV) pip install -q --python $(BIN)/python --compile-bytecode --require-hashes \
	    -r requirements/dev.lock
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

mpi: $(MPI)/mpich/.done $(MPI)/openmpi4/.done $(MPI)/sshd/.done $(MPI)/notebook/.done $(MPI)/flyte/.done ## Put the other MPIs that the tests run on into .mpi.

$(MPI)/mpich/.done $(MPI)/notebook/.done: $(MPI)/%/.done: requirements/%.lock | $(VENV)/.done
	@rm -rf $(MPI)/$* && mkdir -p $(MPI)
	@$(UV) pip install -q --python $(BIN)/python --target $(MPI)/$* --no-deps --require-hashes \
	    -r requirements/$*.lock
	@touch $@

# Where it cannot be had, the script says so, the tests that need it say so too, and CI fails.
$(MPI)/openmpi4/.done: tools/openmpi4
	@tools/openmpi4 $(MPI)/openmpi4 && touch $@ || [ $$? = 3 ]

$(MPI)/sshd/.done: tools/sshd
	@tools/sshd $(MPI)/sshd && touch $@ || [ $$? = 3 ]

# Tests name their tree's `src` first: worktrees may share one .mpi, and the package in it is of one.
$(MPI)/flyte/.done: requirements/flyte.lock | $(VENV)/.done
	@rm -rf $(MPI)/flyte && mkdir -p $(MPI)
	@$(BIN)/python -m venv --without-pip $(MPI)/flyte
	@$(UV) pip install -q --python $(MPI)/flyte/bin/python --compile-bytecode --require-hashes \
	    -r requirements/flyte.lock
	@$(UV) pip install -q --python $(MPI)/flyte/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

fmt: setup ## Format the code, and mend what the linter can mend.
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

lint: setup ## Format, lint, types, contracts.
	@$(BIN)/ruff format -q --check .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

check: lint ## lint, and the rules of documents and of the house.
	@$(PYTEST) -m "not mpi" tests/docs tests/house

quick: lint ## check, and every test that needs neither a cluster nor a real MPI.
	@$(PYTEST) -n $(WORKERS) -m "not mpi and not real"

# The parts go one after the other: building Kubernetes beside tests of a real MPI makes those late.
test: quick mpi ## quick, a real MPI, a real API server, and every MPI on two real nodes.
	@$(PYTEST) -n $(WORKERS) -m "mpi and not soak"
	@$(MAKE) --no-print-directory server
	@$(PYTEST) -rs $(addprefix tests/real/e2e/test_,nodes.py operator.py mpi.py)

# Where Kubernetes cannot be built, the tests that need it say so and are skipped, or in CI fail.
server: setup ## Of the tests on a real Kubernetes, those that need no root: its nodes are fake.
	-@$(HARNESS) build --fake-nodes 20
	@$(PYTEST) -rs -n $(REAL_WORKERS) -m "real and not soak and not nodes" tests/real

real: setup ## All tests on a real Kubernetes, built once and brought up here.
	-@$(HARNESS) build --nodes 2
	@$(PYTEST) -rs -n $(REAL_WORKERS) -m "real and not soak" tests/real

soak: setup ## The long runs: 200 calls in a row, and on a real Kubernetes faults, scale, drawn requests, Horovod, 1 GB.
	@$(PYTEST) -m soak tests/sdk
	@MPIJOB_FAULTS_S=600 MPIJOB_FAULTS_SEED="$$(date +%Y%m%d%H%M)" MPIJOB_CONFORMANCE_EXAMPLES=1800 \
	    $(PYTEST) -s -o timeout=7200 tests/real/test_faults.py tests/real/test_scale.py \
	    tests/real/test_conformance.py tests/real/e2e/test_horovod.py \
	    tests/real/e2e/test_torch.py tests/real/e2e/test_storage.py

sim: setup ## 2,000 fresh histories of the simulator, the day as their base.
	@$(BIN)/mpijob sim --seeds 2000 --jobs $(WORKERS) --from "$$(date +%Y%m%d)0000"

bench: setup ## Measure; write bench/results.json.
	@$(BIN)/python bench/run.py

demo: setup ## Run examples/pi/pi.yaml on this machine: 2 workers with 2 slots each.
	@$(BIN)/mpijob run examples/pi/pi.yaml

lock: $(VENV)/.python ## Lock the dependencies anew.
	@tools/lock $(UV)

clean: ## Remove what make made.
	rm -rf $(VENV) $(MPI) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f bench/results.json

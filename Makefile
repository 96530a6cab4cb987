# Every target sets up what it needs; nothing has to be prepared.
# make demo | demo-dft | services | services-stop | test | test-cluster | test-slow | test-dft | test-browser | test-jobflow-remote | setup-dft | setup-dynamics | setup-abinit | mutants | lint | bench | docs | clean

VENV    ?= .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.ninefold-installed
DFT     := $(VENV)/.ninefold-dft-installed
DYNAMICS := $(VENV)/.ninefold-dynamics-installed
ABINIT  := $(VENV)/.ninefold-abinit-installed
# what GPAW is built with: BLAS, exchange-correlation functionals, Fourier transforms, MPI to link against
DFT_APT := g++ pkg-config libopenblas-dev libxc-dev libfftw3-dev libopenmpi-dev openmpi-bin
FRESH   ?=
MUTANTS ?= 40
# processes that run the tests; each needs up to 4 GB
TEST_WORKERS ?= 2
# one thread per process: the workers share the cores, and results do not depend on the machine's core count
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-dft setup-dynamics setup-abinit demo demo-dft services services-stop test test-cluster test-slow test-dft test-browser test-jobflow-remote mutants lint types contracts bench rediscover docs constraints clean

help:
	@echo "make demo          screen K-Re-H, Mg-Cr-H and Li-Mo-H (FRESH=1 starts again)"
	@echo "make demo-dft      its candidates and their competitors by DFT with GPAW: hours; goes on where it was"
	@echo "make test          every test of the default suite"
	@echo "make services      a MongoDB server and Slurm on this machine for the tests (services-stop ends them; 1 GB)"
	@echo "make test-cluster  whole campaigns on Slurm and a database server, and faults in their middle (needs services)"
	@echo "make test-slow     the physics that takes minutes"
	@echo "make setup-dft     GPAW, for DFT: system packages by apt, a build of a minute, 100 MB"
	@echo "make setup-dynamics  potentials distilled per compound, intervals by kinisi, and what the tests compare with: 500 MB"
	@echo "make setup-abinit  ABINIT, to check GPAW by another code: its Debian package, 30 MB, and abipy"
	@echo "make test-dft      DFT against experiment (about 10 CPU minutes)"
	@echo "make test-browser  the report in a real browser (needs chromium)"
	@echo "make test-jobflow-remote  a flow by jobflow-remote, in an environment of its own (20 MB; needs services)"
	@echo "make mutants       changes of the code that no test notices (MUTANTS=40 per package, or all: hours)"
	@echo "make lint          ruff, mypy, import contracts"
	@echo "make rediscover    known structures found again from their compositions (about 40 min on 2 cores)"
	@echo "make bench         measurements against the tools one would otherwise pick"
	@echo "make docs          build the documentation site"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@set -e; python=; \
	for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$p; break; fi; \
	done; \
	if [ -z "$$python" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && apt-get install -y -q python3 python3-venv && python=python3; \
	fi; \
	if ! $${python:-false} -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "ninefold needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv; or make PYTHON=/path/to/python3)"; exit 2; \
	fi; \
	echo "Setting up $(VENV) with $$($$python --version) (about two minutes and 6 GB, most of it torch) ..."; \
	$$python -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cluster,dev]'
	@touch $@

setup-dft: $(DFT)

$(DFT): $(STAMP)
	@set -e; \
	if ! $(BIN)/python -c 'import gpaw.cgpaw, gpaw_data' >/dev/null 2>&1 && command -v dpkg-query >/dev/null; then \
	  missing=; \
	  $(BIN)/python -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
	    || missing=" python3-dev"; \
	  for package in $(DFT_APT); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	  done; \
	  if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -q && apt-get install -y -q --no-install-recommends $$missing; \
	  elif [ -n "$$missing" ]; then \
	    echo "GPAW is built with system packages that are missing; as root: apt-get install$$missing"; exit 2; \
	  fi; \
	elif ! command -v dpkg-query >/dev/null; then \
	  echo "GPAW is built with the development files of: $(DFT_APT) (Debian's names)"; \
	fi; \
	echo "Setting up GPAW (GPL-3) and its PAW data sets ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dft]'
	@$(BIN)/python -c 'import gpaw.cgpaw, gpaw_data'
	@touch $@

setup-dynamics: $(DYNAMICS)

$(DYNAMICS): $(STAMP)
	@echo "Setting up torchnep and calorine (GPL-3), kinisi, and GEMDAT, MDAnalysis and pymatgen-analysis-diffusion for the tests ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[distil,dynamics,oracles]'
	@touch $@

setup-abinit: $(ABINIT)

$(ABINIT): $(STAMP)
	@set -e; \
	if ! command -v abinit >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && apt-get install -y -q --no-install-recommends abinit; \
	fi; \
	if ! command -v abinit >/dev/null; then \
	  echo "ABINIT is missing; as root: apt-get install abinit (or put your own on PATH)"; exit 2; \
	fi; \
	echo "Setting up abipy (GPL-2) and the PAW data sets of GPAW (GPL-3) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[abinit]'
	@$(BIN)/python -c 'import abipy, gpaw_data'
	@touch $@

demo: setup
	@$(BIN)/ninefold run configs/quickstart.yaml $(if $(FRESH),--fresh --yes)

demo-dft: setup-dft demo
	@$(BIN)/ninefold verify quickstart --method gpaw:draft --mode static
	@$(BIN)/ninefold verify quickstart --method gpaw:draft --mode relax --top 5

rediscover: setup
	$(BIN)/python tools/rediscover.py

services: setup
	@$(BIN)/python tools/services.py start

services-stop: setup
	@$(BIN)/python tools/services.py stop

test: setup
	$(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

test-cluster: setup
	$(BIN)/python -m pytest -q -m cluster

test-slow: setup
	$(BIN)/python -m pytest -q -m slow

test-dft: setup-dft
	$(BIN)/python -m pytest -q -m dft

test-browser: setup
	$(BIN)/python -m pytest -q -m browser

test-jobflow-remote: setup
	@$(BIN)/python tools/remote_flow.py setup
	$(BIN)/python -m pytest -q -m remote tests/run/test_remote_flow.py

mutants: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants]'
	@$(BIN)/python tools/mutants.py --mutants $(MUTANTS) $(PACKAGES)

lint: setup types contracts
	$(BIN)/ruff check src tests workflows benchmarks tools
	$(BIN)/ruff format --check src tests workflows benchmarks tools

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

bench: setup
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: setup
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build --strict

constraints: setup-dft setup-dynamics setup-abinit
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[abinit,dft,distil,docs,dynamics,materials-project,mutants,oracles]'
	@{ head -2 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } > constraints.new && mv constraints.new constraints.txt

clean:
	-@test ! -d .services || $(BIN)/python tools/services.py stop
	rm -rf $(VENV) .services build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

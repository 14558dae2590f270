# The two commands: `make demo` and `make test`. Everything runs in .venv, made once and reused.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

.PHONY: demo test test-fast lint types format install clean

install: $(STAMP)

# torch goes first and alone: resolved together with the rest, an index may offer a CUDA build.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: install
	$(BIN)/expedition run smm/fig2c --preset quick --tasks halls-3 --seeds 2 --name demo --resume

# Two processes, each with whole files; a thread each, for two cores.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: install
	$(TESTS)

test-fast: install
	$(TESTS) -m 'not slow'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

# mypy reads the packages under their import names, through links to the folders.
types: install
	rm -rf $(VENV)/typecheck && mkdir -p $(VENV)/typecheck/expedition
	for d in algorithms cluster envs platform; do ln -s $(CURDIR)/$$d $(VENV)/typecheck/expedition/$$d; done
	MYPYPATH=$(VENV)/typecheck $(BIN)/mypy -p expedition

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info

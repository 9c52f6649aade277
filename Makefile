# Two commands are enough: `make lab` to learn, `make test` to check everything.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2

.PHONY: lab test bench mutants notebooks format

.venv/installed: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

lab: .venv/installed
	$(BIN)/jupyter lab --config=jupyter_server_config.py

# two test processes share the cores; benchmarks keep all threads
test: export OMP_NUM_THREADS ?= 1
test: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pytest -n $(JOBS) --dist loadfile --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg \
		--ignore tests/browser tests notebooks
	$(BIN)/pytest tests/browser

bench: .venv/installed
	$(BIN)/python -m benchmarks

mutants: .venv/installed  # a sample of small errors: would the tests notice?
	$(BIN)/python -m tests.mutants

notebooks: .venv/installed  # run every notebook and store it in canonical form
	$(BIN)/python -m helpers.canonical notebooks/*.ipynb
	$(BIN)/python -m helpers.topics

format: .venv/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Two commands are enough: `make lab` to learn, `make test` to check everything.
# Without make, run what stands below with .venv/bin (Windows: .venv\Scripts); CONTRIBUTING.md has it.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2

.PHONY: lab lab-zh author demo slides hub site test test-classroom portable bench mutants notebooks format

.venv/installed: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

.venv/classroom: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,classroom]'
	$(BIN)/npm install --silent --global --prefix .venv configurable-http-proxy@5.3.0  # of JupyterHub
	touch $@

.venv/chinese: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,chinese]'
	touch $@

lab: .venv/installed
	$(BIN)/python -m helpers.lab

lab-zh: export VIVA_LANGUAGE = zh
lab-zh: .venv/chinese  # the interface in Chinese
	$(BIN)/python -m helpers.lab

author: .venv/installed  # the notebooks of this folder instead of your own copy
	$(BIN)/jupyter lab --config=jupyter_server_config.py notebooks

demo: .venv/classroom  # the explorers on a projector
	$(BIN)/python -m classroom.demo

slides: .venv/classroom  # a topic as slides: make slides TOPIC=05
	$(BIN)/python -m classroom.slides $(TOPIC)

hub: export VIVA_TRIAL = 1
hub: export VIVA_TEACHER ?= teacher
hub: .venv/classroom  # a class on this machine, for a trial: docs/classroom.md has the real one
	$(BIN)/python -m jupyterhub --config=classroom/jupyterhub_config.py

site: .venv/classroom  # a book to read, offline, whose explorers live; TOPICS="05 18" for these alone
	$(BIN)/python -m classroom.site $(TOPICS)

# two test processes share the cores; benchmarks keep all threads
test: export OMP_NUM_THREADS ?= 1
test: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pytest -n $(JOBS) --nbval --ignore tests/browser --ignore tests/classroom tests notebooks
	$(BIN)/pytest -n $(JOBS) --no-loadscope-reorder tests/browser  # the longest file stands first

test-classroom: .venv/classroom  # what only a class needs
	$(BIN)/pytest tests/classroom

portable: .venv/installed  # the numbers again, as on other processors, with other threads, languages and time zones
	$(BIN)/python -m tests.portable

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

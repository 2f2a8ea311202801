# symland: `make demo` shows what it does, `make test` checks it. Everything runs in a virtual environment of its own.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
OUT ?= demo
WORKERS ?= 2
SOURCES := symland tests proofs $(wildcard benchmarks examples)

# Python keeps its bytecode whatever the machine says: without it each process compiles the package anew, 0.7 s.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test lint types imports wheel prove bench condensation enumerate sweep gauntlet contradict mutants reports gallery manual docs clean

help:
	@echo "make demo       install, and run the whole chain on the XOR network into $(OUT)/"
	@echo "make test       install, and run all tests"
	@echo "make lint types imports wheel   the other checks of .ci/run"
	@echo "make prove      every theorem of proofs/"
	@echo "make bench      kernels against other libraries, a process each; the table goes to docs/"
	@echo "make condensation  where hidden nodes turn at small weights: the settings of a paper, predicted and trained"
	@echo "make enumerate  complete enumeration of small landscapes (slow)"
	@echo "make sweep      certify every class at N_h = 1 to 4 (slow)"
	@echo "make gauntlet   complete enumeration against random questions, lists with holes, other orders (an hour)"
	@echo "make contradict a million certificates against a Newton iteration of 200 digits"
	@echo "make mutants    mutation tests of symland/rigor (hours; MUTANTS='symland.rigor.krawczyk*' for a part)"
	@echo "make reports    write reports/ anew"
	@echo "make gallery    every picture of docs/gallery.md, into reports/gallery"
	@echo "make manual     run what the pages of the manual tell a reader to type (slow)"
	@echo "make docs       the manual as HTML, into docs/_build"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.tested: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $@ $(VENV)/.installed

$(VENV)/.linted: $(VENV)/.tested
	$(BIN)/python -m pip install --quiet --editable ".[test,lint]"
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/symland run xor -o $(OUT)

test: $(VENV)/.tested
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.linted
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/.linted
	$(BIN)/mypy

imports: $(VENV)/.linted
	$(BIN)/lint-imports --no-cache

wheel: $(VENV)/.linted
	rm -rf build/wheel build/empty
	$(BIN)/python -m build --wheel --outdir build/wheel
	$(PYTHON) -m venv build/empty
	build/empty/bin/python -m pip install --quiet --no-compile build/wheel/*.whl
	cd build && empty/bin/symland run xor --hidden 1 --penalty 1e-2 -o wheel-run --json > wheel-run.json
	cd build && empty/bin/python -c "import json; assert json.load(open('wheel-run.json'))['morse_sum'] == 1"

prove: $(VENV)/.installed
	$(BIN)/symland prove

gauntlet: $(VENV)/.tested
	$(BIN)/python -m benchmarks.gauntlet --minutes 60

bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.search

condensation: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[learn]"
	$(BIN)/python -m benchmarks.condensation -o build/condensation

sweep: $(VENV)/.installed
	$(BIN)/python -m benchmarks.certificates

contradict: $(VENV)/.installed
	$(BIN)/python -m benchmarks.contradictions

mutants: $(VENV)/.tested
	$(BIN)/python -m pip install --quiet --editable ".[test,mutants]"
	$(BIN)/mutmut run --max-children $(WORKERS) $(MUTANTS)
	$(BIN)/mutmut results

# nodes:penalty; each cell keeps its state in a database, and the same command goes on with it.
CELLS ?= 1:1e-1 1:1e-2 1:1e-3 2:1e-1 2:5e-2 2:3e-2 2:2e-2 2:1e-2 3:1e-1 3:5e-2
CELL_BUDGET ?= 30m

enumerate: $(VENV)/.installed
	@mkdir -p build/enumeration
	for cell in $(CELLS); do \
	  nodes=$${cell%%:*}; penalty=$${cell##*:}; name=build/enumeration/xor-$$nodes-$$penalty; \
	  test -f $$name.sqlite || $(BIN)/symland explore xor --hidden $$nodes --penalty $$penalty --db $$name.sqlite; \
	  $(BIN)/symland enumerate --db $$name.sqlite --by boxes --budget $(CELL_BUDGET) --json > $$name.json || true; \
	done

# Three widths at each penalty, mapped into one another; the lists of the three reports are proved complete, that for
# two nodes at 1e-3 in half an hour.
reports: $(VENV)/.installed
	for penalty in 1e-2 1e-3; do \
	  for nodes in 1 2 3; do \
	    $(BIN)/symland run xor --hidden $$nodes --penalty $$penalty -o build/reports/xor-$$nodes-$$penalty || exit 1; \
	  done; \
	  $(BIN)/symland map build/reports/xor-[123]-$$penalty/landscape.sqlite || exit 1; \
	done
	for name in xor-1-1e-2 xor-2-1e-2 xor-2-1e-3; do \
	  $(BIN)/symland enumerate --db build/reports/$$name/landscape.sqlite --by boxes --workers $(WORKERS) || exit 1; \
	  $(BIN)/symland prove --db build/reports/$$name/landscape.sqlite || exit 1; \
	  $(BIN)/symland report --db build/reports/$$name/landscape.sqlite -o reports/$$name || exit 1; \
	done
	$(BIN)/symland draw tree --db build/reports/xor-2-1e-3/landscape.sqlite --unfold -o docs/disconnectivity.png
	$(BIN)/symland study xor --hidden 1..3 --penalty 1e-1,1e-2,1e-3,1e-4,1e-5,1e-6 -o build/reports/grid
	for cell in build/reports/grid/*.sqlite; do \
	  $(BIN)/symland connect --db $$cell && $(BIN)/symland certify --db $$cell || exit 1; \
	done
	$(BIN)/symland report --db build/reports/grid -o reports/xor-family
	$(BIN)/symland atlas --db build/reports/grid --no-figures -o reports/atlas.html
	$(BIN)/symland bundle --db build/reports/grid/*.sqlite -o reports/xor.zip

gallery: $(VENV)/.installed
	rm -rf build/gallery reports/gallery
	$(BIN)/python docs/pages.py build/gallery docs/gallery.md
	$(BIN)/python docs/gallery.py build/gallery reports/gallery

manual: $(VENV)/.installed
	rm -rf build/manual
	$(BIN)/python docs/pages.py build/manual $(filter-out docs/adding-a-question.md docs/gallery.md,$(wildcard docs/*.md))

docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	$(BIN)/python -m sphinx -W -b html docs docs/_build

clean:
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

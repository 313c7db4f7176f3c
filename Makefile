# `make demo` and `make test` work on a fresh machine with Python 3.11, pip and make alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test fast check lint types format reports real-data modules clean

demo: $(STAMP)
	$(BIN)/placement-search search --data digits-location --space extended --n-trials 34 --n-random 3 --seeds 3 --epochs 3 \
	  --storage sqlite:///runs/demo/study.db --study-name demo --out runs/demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

fast: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

check: lint types fast

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# Reference studies; each continues where it stopped.
reports: $(STAMP)
	for data in digits-location digits; do \
	  $(BIN)/placement-search search --data $$data --space extended --n-trials 32 --seeds 5 --n-random 5 \
	    --epochs 6 --storage sqlite:///runs/reports.db --study-name $$data --out reports/$$data || exit 1; \
	done

# Studies on real data, from folders that the user has: make real-data MODEL=... DATA=...
real-data: $(STAMP)
	$(BIN)/python -m scripts.real_data --model $(MODEL) --data $(DATA)

# All module types in their papers' own placements, and the operations: make modules MODEL=... DATA=...
modules: $(STAMP)
	$(BIN)/python -m benchmarks.operations
	$(BIN)/python -m benchmarks.modules.run
	$(BIN)/python -m benchmarks.modules.run --model $(MODEL) --dtype bfloat16 --data $(DATA)/trec6 $(DATA)/sst2 \
	  --train-size 400 --validation-size 300 --epochs 3 --batch-size 16

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The stamp is newer than both files exactly when the installed packages are theirs.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

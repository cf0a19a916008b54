# The commands people and CI run. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where torch comes from; empty is where pip looks.
TORCH_INDEX ?=
DATA ?=
PAIRS ?=

.PHONY: help demo test lint check bench bench-quality bench-ablation bench-priors bench-da-clip bench-denoiser \
	bench-harm bench-explanations bench-denoising bench-scale bench-degradations bench-harness bench-plan bench-sweep bench-full-size gpu docs docs-figures docs-gallery package clean

help: ## List the commands.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## Install, damage three sample photos, restore them, say where to look.
	$(BIN)/ldrps demo

test: $(VENV)/.installed ## Run the fast tests (CPU, offline).
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

lint: $(VENV)/.installed ## Check format, lint, types and the import contract.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## Run everything CI runs.

bench: bench-degradations bench-harness ## Measure speed, quality and cost: make bench DATA=folder-of-clean-photos
	$(BIN)/python -m tests.benchmarks.restore --data "$(DATA)" --output runs/bench

bench-quality: $(VENV)/.installed ## Restore every suite, beside simple tools (hours): make bench-quality DATA=folder
	$(BIN)/ldrps test --suite all --clean "$(DATA)" --protocol crops_256 --output runs/quality

bench-ablation: $(VENV)/.installed ## Change one part of the blind preset at a time: make bench-ablation DATA=folder
	$(BIN)/python -m tests.benchmarks.random_denoiser
	$(BIN)/ldrps sweep run parts --clean "$(DATA)" --limit 4 --output runs/parts
	$(BIN)/ldrps sweep run backbone --clean "$(DATA)" --limit 4 --output runs/backbone

bench-harm: $(VENV)/.installed ## Restore photos that nothing is wrong with, show the worst: make bench-harm DATA=folder
	$(BIN)/python -m tests.benchmarks.harm --data "$(DATA)" --output runs/harm

bench-explanations: $(VENV)/.installed ## Which explanation of light and haze is taken, which were best: make bench-explanations DATA=folder PAIRS="folders"
	$(BIN)/python -m tests.benchmarks.explanations --data "$(DATA)" --pairs $(PAIRS)

bench-denoising: $(VENV)/.installed ## Take noise out beside BM3D, which is installed for it (research only): make bench-denoising DATA=folder
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bm3d]'
	$(BIN)/python -m tests.benchmarks.denoising --data "$(DATA)" --output runs/denoising

bench-priors: $(VENV)/.installed ## Give the blind preset one semantic prior after another: make bench-priors DATA=folder
	$(BIN)/ldrps sweep run priors --clean "$(DATA)" --limit 4 --output runs/priors

bench-da-clip: $(VENV)/.installed ## Ask the embedded DA-CLIP about damaged photos: make bench-da-clip DATA="shards of the training"
	$(BIN)/python -m tests.benchmarks.da_clip --data $(DATA)

bench-denoiser: $(VENV)/.installed ## Measure the denoiser of the latents by timestep: make bench-denoiser DATA="shards of the training"
	$(BIN)/python -m tests.benchmarks.latent_denoiser --shards $(DATA)

bench-scale: $(VENV)/.installed ## Measure time and memory from 256 pixels to 12 megapixels, batches, precision (half an hour).
	$(BIN)/python -m tests.benchmarks.scale

bench-degradations: $(VENV)/.installed ## Measure the wild pipeline beside OpenCV and NumPy (also part of bench).
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m tests.benchmarks.degradations --data "$(DATA)"

bench-harness: $(VENV)/.installed ## Measure what `ldrps test` costs besides restoring (also part of bench).
	$(BIN)/python -m tests.benchmarks.harness --data "$(DATA)"

bench-plan: $(VENV)/.installed ## Measure how near the forecasts of `ldrps plan` are to what happens.
	$(BIN)/python -m tests.benchmarks.plan

bench-full-size: $(VENV)/.installed ## Load models of Stable Diffusion's shapes, take two steps with each preset (CPU, 5 GB of disk).
	$(BIN)/python -m tests.benchmarks.full_size --output runs/full_size

gpu: $(VENV)/.installed ## Everything that wants a GPU: its tests, time, memory, profile of a full-size model; one table.
	$(BIN)/python -m tests.benchmarks.gpu --output runs/gpu

bench-sweep: $(VENV)/.installed ## Run a sweep of 24 points on two small pictures to its table (minutes); it may be stopped and started again.
	$(BIN)/python -m tests.benchmarks.small_pictures runs/pictures
	$(BIN)/ldrps sweep run small --clean runs/pictures --output runs/small

docs-figures: $(VENV)/.installed ## Draw the pictures of the documentation.
	$(BIN)/python docs/figures.py
	$(BIN)/python docs/restorations.py
	$(BIN)/python docs/samples.py
	$(BIN)/python docs/gallery.py
	$(BIN)/python docs/house.py

docs-gallery: $(VENV)/.installed ## Draw the gallery of the documentation's start page and the README's picture.
	$(BIN)/python docs/gallery.py

package: $(VENV)/.installed ## Build wheel and sdist, and have twine check them.
	$(BIN)/pip install --quiet build twine
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

docs: $(VENV)/.installed ## Build the documentation.
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

clean: ## Remove what was built (not the pictures you made).
	rm -rf build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

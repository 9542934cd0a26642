# Each target does all its own set-up on a machine with Python 3.11 or newer and git, and is quick the
# second time. ARGS go to what is run: `make demo ARGS=--once`, `make test ARGS="tests/unit -x"`.

PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --no-input --quiet
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet

.PHONY: demo test check check-lint check-format check-types check-imports servers bench lock clean

demo: $(VENV)/.for-use
	@$(VENV)/bin/trunkline demo $(ARGS)

test: $(VENV)/.for-work
	$(PYTHON) -m pytest $(ARGS)

check: check-lint check-format check-types check-imports

check-lint: $(VENV)/.for-work
	$(PYTHON) -m ruff check

check-format: $(VENV)/.for-work
	$(PYTHON) -m ruff format --check

check-types: $(VENV)/.for-work
	$(PYTHON) -m mypy

check-imports: $(VENV)/.for-work
	$(VENV)/bin/lint-imports --no-logo

# Kafka, PostgreSQL, Kubernetes and what judges our files, into .servers or where TRUNKLINE_SERVERS says.
# Needs Java 17 or newer, Maven and Go as well.
servers: $(VENV)/.for-work
	@PYTHONPATH=tests $(PYTHON) -m servers.fetch

bench: $(VENV)/.for-work
	PYTHONPATH=tests $(PYTHON) -m bench $(ARGS)

# Versions that are locked already stay; ARGS=--upgrade moves them. uv is needed here only, so it is
# not in the environment that the product and its tests run in.
lock: $(PYTHON)
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && set -e && \
	$(PYTHON) -m venv "$$scratch" && \
	"$$scratch/bin/pip" install --disable-pip-version-check --no-input --quiet uv && \
	PATH="$$scratch/bin:$$PATH" && \
	$(LOCK) --group dev --output-file requirements-dev.lock $(ARGS) && \
	$(LOCK) --constraint requirements-dev.lock --output-file requirements.lock $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	find hub handlers tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.for-use: requirements.lock $(VENV)/.project
	@echo "Installing what Trunkline needs"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@touch $@

$(VENV)/.for-work: requirements-dev.lock $(VENV)/.project
	@echo "Installing what working on Trunkline needs"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

# The project is put on the path where it lies. An editable install would fetch a build backend, which
# no lock with hashes covers.
$(VENV)/.project: $(PYTHON) Makefile
	@echo "$(CURDIR)" > "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/trunkline.pth"
	@printf '#!%s\nfrom hub.__main__ import main\n\nmain()\n' "$(CURDIR)/$(PYTHON)" > $(VENV)/bin/trunkline
	@chmod +x $(VENV)/bin/trunkline
	@touch $@

$(PYTHON):
	@command -v git >/dev/null || { echo "Trunkline needs git, which is not installed." >&2; exit 1; }
	@found=; for one in $(PYTHONS); do \
		if $$one -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then found=$$one; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Trunkline needs Python 3.11 or newer; looked for: $(PYTHONS)." >&2; exit 1; \
	fi; \
	echo "Making an environment in $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$$found cannot make one; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

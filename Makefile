# Every target sets up what it needs; the first one on a new machine takes a few minutes and says so.

UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
QUORATE := .venv/bin/quorate

# The vendor SDK takes seconds to import without its bytecode; an empty value means: write it.
export PYTHONDONTWRITEBYTECODE :=

# Debian's browser; Playwright is told to use it and downloads none.
define CHROMIUM
{ echo "installing chromium with apt-get"; apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	|| { echo "chromium is not installed and cannot be: install it as root, for example with apt-get, and run this again"; exit 1; }
endef

.PHONY: help demo test check test-clients test-realtime test-browser test-kills test-faults test-steering test-incidents test-failback test-wheel test-old-watch test-oracle fuzz-lab fuzz-runs fuzz-runs-fast fuzz-runs-planted coverage bench setup clean
help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: setup  ## build the example cluster on the twin, play the article's test, bring the guests home, lose a site (four minutes)
	@$(QUORATE) demo

test: setup  ## the tests, against the twin and a real Temporal server; every measurement in small (five minutes)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 3 --dist loadfile --no-loadscope-reorder

check: setup  ## ruff, strict types, import contracts
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

test-realtime: setup  ## the loss of a site in real time and twenty times as fast (six minutes)
	@.venv/bin/python -m tests -o python_files='timed_*.py' tests/realtime -rP

test-clients: setup .venv-clients/.complete  ## public clients, unmodified, against the twin (ten minutes)
	@.venv/bin/python -m tests -o python_files='with_*.py' -rs tests/clients

test-browser: setup  ## a deployment started, answered and read in Temporal's UI with Chromium (four minutes)
	@$(UV) sync --locked --quiet --group browser
	@command -v chromium >/dev/null || $(CHROMIUM)
	@$(QUORATE) server
	@.venv/bin/python -m tests -o python_files='seen_*.py' tests/browser
	@echo "what was to be seen: var/browser"

test-kills: setup  ## workers killed before and after every change, the Temporal server again and again (eight minutes)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 4 -o python_files='lasting_kills.py' tests/endurance -rP

test-faults: setup  ## every call of a deployment meets every kind of trouble (half an hour)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -o python_files='lasting_faults.py' tests/endurance -rP

test-steering: setup  ## pauses and aborts at two hundred random instants (six minutes)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -o python_files='lasting_steering.py' tests/endurance -rP

test-failback: setup  ## what stops a failback: broken homes, people who change their mind, other plans, killed workers (eight minutes)
	@$(QUORATE) server
	@.venv/bin/python -m tests -o python_files='lasting_*.py' tests/failback -rP

test-incidents: setup  ## every incident of the catalogue that a verdict can tell apart (twenty minutes)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -o python_files='lasting_*.py' tests/incidents -rP
	@QUORATE_EXAMPLE=metro .venv/bin/python -m tests -n 2 -o python_files='lasting_*.py' tests/incidents/lasting_scenarios.py
	@QUORATE_THOROUGH=10 .venv/bin/python -m tests -n 2 tests/verdict

test-wheel: setup | $(UV)  ## the wheel, installed in a fresh environment and used in an empty folder (one minute)
	@.venv/bin/python -m tests -o python_files='installed_*.py' tests/wheel

test-old-watch: setup  ## a watch that is 26 hours old judges and times a loss as a fresh one (half an hour)
	@$(QUORATE) server
	@.venv/bin/python -m tests -o python_files='aged_*.py' tests/incidents -rP

test-oracle: setup  ## random scenarios in Proxmox's own HA simulator and in the twin, where the original is at hand (twenty minutes)
	@.venv/bin/python -m tests.oracle --count 200

fuzz-lab: setup  ## a thousand random fault schedules over the twin: nobody may contradict anybody
	@.venv/bin/python -m tests.fuzz --count 1000

fuzz-runs: setup  ## three hundred random lives of a cluster: losses, people, workers and lists at once (half an hour)
	@$(QUORATE) server
	@.venv/bin/python -m tests.fuzz_runs --count 300

fuzz-runs-fast: setup  ## ten of them, always the same, after those that have failed once (three minutes)
	@$(QUORATE) server
	@.venv/bin/python -m tests.fuzz_runs --count 10

fuzz-runs-planted: setup  ## the engine bent in one way after the other: each is found, and by which seed
	@$(QUORATE) server
	@for fault in stale-memory lost-withdrawal thaw-under-incident false-fence unchecked-condition; do \
		.venv/bin/python -m tests.fuzz_runs --count 100 --planted $$fault || exit 1; done

coverage: setup  ## write docs/coverage.md: what the twin emulates, and which test proves it
	@$(QUORATE) server
	@rm -rf var/coverage
	@.venv/bin/python -m tests -n 2 --dist loadfile -p tests.covered
	@.venv/bin/python -m tests.covered

bench: setup  ## measure one deployment (also var/bench.json), the twin's cost and the engine's
	@$(QUORATE) server
	@.venv/bin/python -m bench
	@.venv/bin/python -m bench.twin
	@.venv/bin/python -m bench.engine
	@.venv/bin/python -m bench.gateway
	@.venv/bin/python -m bench.watch
	@.venv/bin/python -m bench.failback

setup: .venv/.complete  ## the virtual environment, from the lock file

.venv/.complete: pyproject.toml uv.lock | $(UV)
	@echo "setting up .venv from uv.lock"
	@$(UV) sync --locked --quiet
	@touch $@

.venv-clients/.complete: tests/clients/requirements.txt | $(UV)
	@echo "setting up .venv-clients: Ansible with all its collections, which takes a few minutes"
	@UV_VENV_CLEAR=1 $(UV) venv --quiet --python .venv/bin/python .venv-clients
	@$(UV) pip install --quiet --python .venv-clients/bin/python -r tests/clients/requirements.txt
	@touch $@

# uv from PyPI, in a folder of its own, where the machine has none
.uv/bin/uv:
	@echo "fetching uv from PyPI"
	@python3 -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv

clean:  ## remove what was set up here; the Temporal server stays in the user's cache
	rm -rf .venv .venv-clients .uv var

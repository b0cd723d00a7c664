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

# The audit record is checked with stock tools, as its docs show.
define JQ
{ echo "installing jq with apt-get"; apt-get update -qq && apt-get install -y -qq --no-install-recommends jq >/dev/null; } \
	|| { echo "jq is not installed and cannot be: install it as root, for example with apt-get, and run this again"; exit 1; }
endef

# Management controllers without Redfish are asked by FreeIPMI, and OpenIPMI's simulator is one.
define IPMI
{ echo "installing freeipmi-tools and openipmi with apt-get"; apt-get update -qq && apt-get install -y -qq --no-install-recommends freeipmi-tools openipmi >/dev/null; } \
	|| { echo "freeipmi-tools and openipmi are not installed and cannot be: install them as root, for example with apt-get, and run this again"; exit 1; }
endef

# Every tier, the quickest to fail first; and those that stand before a change of what may be moved, fenced or set back.
TIERS := check test test-twin bench-small test-wheel test-verdict test-traces test-storage test-shapes test-failback test-breakglass \
	test-rights test-ipmi test-kills test-secrets test-probe test-realtime test-browser test-steering test-clients test-receivers test-incidents test-audit test-metrics \
	test-python test-oracle test-real fuzz-lab test-faults test-old-watch fuzz-runs
SAFETY := test-failback test-incidents fuzz-runs-fast
# A machine with other work can be too slow for a moment: what failed is played once more, and its name is printed.
ONCE_MORE := --reruns 1 -rR

.PHONY: help demo demo-stay $(TIERS) $(SAFETY) test-all test-safety fuzz-runs-planted coverage bench setup clean
help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 19

demo: setup  ## the example cluster on the twin, the article's test, the loss of a site (4 min)
	@$(QUORATE) demo

demo-stay: setup  ## the same with the board open; everything stays until Ctrl-C
	@$(QUORATE) demo --stay

check: setup  ## ruff, strict types, import contracts (1 min)
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

test: setup  ## the tests: the twin, a real Temporal server (5 min)
	@command -v jq >/dev/null || $(JQ)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 4 --dist loadfile --no-loadscope-reorder $(ONCE_MORE)

test-twin: setup  ## no constant of the twin stands for a state; what once broke it (2 min)
	@.venv/bin/python -m tests -n 2 -m slow tests/lab

bench-small: setup  ## every measurement in small, one after the other (2 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m measured tests/benches

test-safety: setup  ## what stands before a change to safety: three of the tiers below (20 min)
	@.venv/bin/python -m tests.tiers $(SAFETY)

test-all: setup  ## every tier, whatever fails on the way, and a table at the end (4 h)
	@.venv/bin/python -m tests.tiers $(TIERS)

test-failback: setup  ## what stops a failback: broken homes, people, killed workers (5 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 3 -m slow tests/failback $(ONCE_MORE)

test-storage: setup  ## a site as it is delivered: two cards, a dead portal, names, settings, reboots (4 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m slow tests/storage $(ONCE_MORE) -rP

test-shapes: setup  ## other transports, sizes and places: built, a site lost, guests home again (9 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -m slow tests/shapes $(ONCE_MORE) -rP

test-breakglass: setup  ## each break-glass runbook heals its emergency and refuses all others (7 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 3 -m slow tests/breakglass $(ONCE_MORE) -rP

test-ipmi: setup  ## controllers without Redfish: FreeIPMI against the twin and OpenIPMI's simulator (3 min)
	@{ PATH="$$PATH:/usr/sbin"; command -v ipmi-raw && command -v ipmi_sim; } >/dev/null || $(IPMI)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m ipmi tests/activities tests/breakglass tests/probe $(ONCE_MORE)

test-audit: setup  ## ten thousand changes of audit records, and a record whose keepers are killed (8 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -m slow tests/audit $(ONCE_MORE) -rP

test-kills: setup  ## workers killed before and after every change, Temporal again and again (8 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 4 -m slow tests/endurance/test_kills.py tests/runbooks/test_survival.py $(ONCE_MORE) -rP

test-secrets: setup  ## the whole demonstration with canaries for secrets: none is left anywhere (4 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m slow tests/endurance/test_canaries.py -rP

test-probe: setup  ## a site with canaries, its bundle, and a twin of it that answers the same (1 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m slow tests/probe -rP

test-rights: setup  ## each right of the token taken away, and every runbook played without it (16 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -m slow tests/rights $(ONCE_MORE)

test-incidents: setup  ## every incident of the catalogue that a verdict can tell apart (20 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 3 -m slow tests/incidents $(ONCE_MORE)
	@QUORATE_EXAMPLE=metro .venv/bin/python -m tests -n 3 -m slow tests/incidents/test_scenarios.py $(ONCE_MORE)

test-verdict: setup  ## the laws of verdicts, with ten times as many random looks (3 min)
	@QUORATE_THOROUGH=10 .venv/bin/python -m tests -n 2 tests/verdict

test-traces: setup  ## traces of a loss, a failback, killed workers, a watch that goes on and one in the dark (3 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -m slow tests/telemetry $(ONCE_MORE)

fuzz-runs-fast: setup  ## ten random lives of a cluster, always the same, after what failed once (3 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests.fuzz_runs --count 10

fuzz-runs: setup  ## three hundred of them: losses, people, workers and lists at once (30 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests.fuzz_runs --count 300

fuzz-runs-planted: setup  ## the engine bent in one way after the other: which seed finds each
	@$(QUORATE) server
	@for fault in stale-memory lost-withdrawal thaw-under-incident false-fence unchecked-condition; do \
		.venv/bin/python -m tests.fuzz_runs --count 100 --planted $$fault || exit 1; done

fuzz-lab: setup  ## a thousand random fault schedules: nobody may contradict anybody (8 min)
	@.venv/bin/python -m tests.fuzz --count 1000

test-faults: setup  ## every call of a deployment meets every kind of trouble (30 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -m slow tests/endurance/test_faults.py -rP

test-steering: setup  ## pauses and aborts at two hundred random instants (6 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -n 2 -m slow tests/endurance/test_steering.py -rP

test-old-watch: setup  ## a watch that is 26 hours old judges and times a loss as a fresh one (30 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m aged tests/incidents -rP

test-realtime: setup  ## the loss of a site in real time and twenty times as fast (6 min)
	@.venv/bin/python -m tests -m realtime tests/realtime -rP

test-browser: setup  ## a deployment started, answered and read in Temporal's UI, in Chromium (4 min)
	@$(UV) sync --locked --quiet --all-extras --group browser
	@command -v chromium >/dev/null || $(CHROMIUM)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m browser tests/browser
	@echo "what was to be seen: var/browser"

test-clients: setup .venv-clients/.complete  ## public clients, unmodified, against the twin (10 min)
	@.venv/bin/python -m tests -m clients tests/clients -rs

test-receivers: setup  ## a Collector (built with Go) and Zipkin take the traces; a run is paused for a month (2 min; 9 at first)
	@$(UV) sync --locked --quiet --all-extras --group browser
	@command -v chromium >/dev/null || $(CHROMIUM)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m foreign tests/foreign tests/telemetry -rP
	@echo "what was to be seen: var/browser"

test-metrics: setup .prometheus/.complete  ## the loss of a site as metrics; promtool and Grafana's own types read our files (5 min)
	@$(QUORATE) server
	@.venv/bin/python -m tests -m slow tests/metrics -rP

test-wheel: setup | $(UV)  ## the wheel, installed in a fresh environment, in an empty folder (1 min)
	@.venv/bin/python -m tests -m slow tests/wheel

# Python 3.13 and later are strict with certificates; NEWER=/path/to/python3.13 where none is found and none can be fetched.
NEWER := $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python3.13) 3.13)
test-python: setup  ## certificates as they are delivered, on Python 3.13 (2 min)
	@UV_PROJECT_ENVIRONMENT=.venv-newer $(UV) sync --locked --quiet --all-extras --python $(NEWER) \
		|| { echo "no Python $(NEWER) here, and none can be fetched: make test-python NEWER=/path/to/python3.13"; exit 1; }
	@.venv-newer/bin/python -m tests tests/trust

test-oracle: setup  ## random scenarios in Proxmox's own HA simulator, if at hand, and here (20 min)
	@.venv/bin/python -m tests.oracle --count 200

test-real: setup  ## against real corosync, qnetd and sshd in namespaces, multipathd, nvme-cli and LVM in guests: root on Debian (20 min)
	@.venv/bin/python -m tests -m real tests/real --ignore tests/real/alua --ignore tests/real/nvme -rs
	@.venv/bin/python -m tests -m real tests/real/alua -rs
	@.venv/bin/python -m tests -m real tests/real/nvme -rs

coverage: setup  ## write docs/coverage.md: what the twin emulates, and which test proves it
	@$(QUORATE) server
	@rm -rf var/coverage
	@.venv/bin/python -m tests -n 2 --dist loadfile -p tests.covered
	@.venv/bin/python -m tests -n 2 -m slow tests/lab -p tests.covered
	@.venv/bin/python -m tests.covered

bench: setup  ## measure one deployment (var/bench.json), the twin's cost and the engine's
	@$(QUORATE) server
	@.venv/bin/python -m bench
	@.venv/bin/python -m bench.twin
	@.venv/bin/python -m bench.engine
	@.venv/bin/python -m bench.gateway
	@.venv/bin/python -m bench.watch
	@.venv/bin/python -m bench.failback
	@.venv/bin/python -m bench.telling

setup: .venv/.complete  ## the virtual environment, from the lock file

.venv/.complete: pyproject.toml uv.lock | $(UV)
	@echo "setting up .venv from uv.lock"
	@$(UV) sync --locked --quiet --all-extras
	@touch $@

.venv-clients/.complete: tests/clients/requirements.txt | $(UV)
	@echo "setting up .venv-clients: Ansible with all its collections, which takes a few minutes"
	@UV_VENV_CLEAR=1 $(UV) venv --quiet --python .venv/bin/python .venv-clients
	@$(UV) pip install --quiet --python .venv-clients/bin/python -r tests/clients/requirements.txt
	@touch $@

# Debian's Prometheus, unpacked and not installed: nothing is started by it
.prometheus/.complete:
	@echo "fetching Prometheus with its promtool from Debian"
	@mkdir -p .prometheus && cd .prometheus && { apt-get update -qq; apt-get download -qq prometheus; dpkg -x prometheus_*.deb .; } \
		|| command -v promtool prometheus >/dev/null \
		|| { echo "no promtool: put prometheus and promtool on PATH and run this again"; exit 1; }
	@touch $@

# uv from PyPI, in a folder of its own, where the machine has none
.uv/bin/uv:
	@echo "fetching uv from PyPI"
	@python3 -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv

clean:  ## remove what was set up here; the Temporal server stays in the user's cache
	rm -rf .venv .venv-clients .venv-newer .prometheus .uv var

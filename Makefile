# Two commands do everything: `make run` starts the server, `make test` proves the tree.
# uv is used where it is installed; otherwise it is fetched from PyPI into the private folder .uv/.

UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= python3

.PHONY: run cluster test check members pythons dist bench simulate simulate-asd simulate-sites crash-test attack attack-admin chaos clean

run: $(UV)
	$(UV) run asd

# Three nodes on 127.0.0.1, ports 3000 to 3002.
cluster: $(UV)
	$(UV) run asd --nodes 3

# Tests of several node processes run by themselves: nodes that are starved of processor lose each
# other, as they should.
CLUSTERS := tests/integration/test_cluster_client.py tests/integration/test_cluster_info.py \
	tests/integration/test_cluster_racks.py tests/asd/process/test_supervisor.py \
	tests/asd/test_cluster.py \
	tests/cluster/test_cluster_processes.py tests/chaos/test_chaos_short.py \
	tests/asd/http/test_http_cluster_processes.py tests/attack/test_attack_peers.py

# Clusters and the links between them take minutes: with `make chaos`.
LINKS := tests/asd/process/test_links.py tests/asd/process/test_links_topologies.py

test: $(UV)
	$(MAKE) -j 2 --output-sync=target check members
	$(UV) run pytest -n auto $(addprefix --ignore=,$(CLUSTERS) $(LINKS))
	$(UV) run pytest -q $(CLUSTERS)

check: $(UV)
	$(UV) run ruff check .
	$(UV) run ruff format --check .
	$(UV) run mypy
	$(UV) run pytest -q tests/tidy

# Each package into an empty environment by plain pip, every module imported.
members:
	$(PYTHON) tests/install_members.py

# The tests on every Python that is found here, with uvloop and without it.
pythons: $(UV)
	$(UV) run python tests/on_all_pythons.py

# Wheels and source distributions of all packages, and wheels with compiled twins for this platform
# (docs/compiled-twins.md); installed and run from empty environments.
TWINS := 3.11 3.12 3.13
dist: $(UV)
	rm -rf dist
	$(UV) build --quiet --all-packages --out-dir dist
	for version in $(TWINS); do \
		$(UV) python find --no-python-downloads $$version >/dev/null 2>&1 || continue; \
		PYTHONPATH=asd/src:storage/src:aerospike_common/src $(UV) run --isolated --no-project \
			--python $$version --with 'cython>=3.1' --with packaging --with 'wheel>=0.45' \
			python asd/compiled_wheel.py dist || exit 1; \
	done
	$(PYTHON) tests/install_dist.py dist

bench: $(UV)
	$(UV) run python bench/run.py

# Long proofs: thousands of simulated clusters (an interrupted run goes on where it stopped), and
# thousands of crash states and real kills.
simulate: $(UV)
	$(UV) run python -m cluster.simulation --sweep --seeds 5000 --minutes 5 --jobs 2 --record simulate.jsonl

# Whole nodes and their clients in virtual time (docs/simulation.md); goes on where it stopped.
SEEDS ?= 1000
simulate-asd: $(UV)
	$(UV) run python -m asd.simulation --sweep --seeds $(SEEDS) --minutes 1 --jobs 2 --record simulate-asd.jsonl

# Clusters that ship to each other, likewise.
simulate-sites: $(UV)
	$(UV) run python -m asd.simulation --sites --sweep --seeds $(SEEDS) --jobs 2 --record simulate-sites.jsonl

crash-test: $(UV)
	KILLS=100 $(UV) run pytest -q tests/storage/test_engine_kills.py
	KILLS=100 $(UV) run pytest -q tests/asd/test_daemon_kills.py
	$(UV) run python -m storage.testing.crash --states 20000

# Hostile requests: each case by name, held against an idle figure of the same run; then a real node
# under hostile bytes, half an hour (MINUTES=N: as long as you like; SEED=N replays).
attack: $(UV)
	$(UV) run pytest -q tests/attack tests/asd/process/test_compiled.py tests/aerospike_common/test_wire_fuzz.py
	cd tests && $(UV) run python -m attack --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED))

# The admin protocol under right, damaged and random messages, a naive model of rights beside it
# (SEED=N replays).
attack-admin: $(UV)
	cd tests && $(UV) run python -m attack.admin --messages $(or $(MESSAGES),1000000) $(if $(SEED),--seed $(SEED))

# Real nodes under load and faults, at least half an hour; SEED=N replays a plan, TLS=1 has TLS
# everywhere and replaces certificates meanwhile (docs/cluster.md).
chaos: $(UV)
	$(UV) run pytest -q $(LINKS)
	CONSUMER_STRIDE=1 CONSUMER_RECORDS=3 $(UV) run pytest -q tests/aerospike_client/changes/test_stream_killed.py
	cd tests && $(UV) run python -m chaos --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(if $(TLS),--tls)

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

clean:
	rm -rf .uv .venv* dist .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each command does its whole set-up. A Debian 12 with a Rust toolchain, gcc, g++, make and python3 is enough, without
# root and without pip: if CMake, Julia, redis-server or another tool is missing, the scripts in make/ fetch it into
# build/ and say so in one line. Nothing else on the machine changes: cargo writes to target/ and to its own cache of
# crates (~/.cargo), everything else to build/; only make install writes to PREFIX.
#
#   make demo      builds the example and runs it on one network, without caches and with more and more of them; takes
#                  a minute. It ends with results on disk: a first run, a second run that computes nothing, and two
#                  processes at once; also with Redis if a redis-server is on the PATH; takes NETWORK
#   make test      whether the library works here: the tests of Rust, C, C++, Julia and the examples; takes minutes
#   make check     all other checks: lints, every standard and compiler, the package and its consumers, sanitizers, the
#                  model checkers, the fuzz targets; takes about half an hour. CI runs test and check (.ci/run); neither
#                  repeats the other
#   make lint      the part of check that runs no test; takes two minutes
#   make stress    random operations from up to 64 threads for SECONDS (60); takes THREADS and SEED
#   make soak-redis  two processes share results in Redis for SECONDS (60) while their server fails in many ways;
#                  takes SEED
#   make soak-memory  many threads use full caches for SECONDS (3600), and the memory of the process is compared with
#                  what the caches say, all the time; takes SEED and SCALE (8)
#   make soak-disk  16 processes share a disk cache and are killed at any moment for SECONDS (3600), and what they have
#                  stored is checked; takes SEED
#   make truth     PyPhi's networks computed with PyPhi's own caches and with phicache: results equal to the last bit,
#                  hits, misses and sizes of all caches equal, in the process and in Redis. Installs PyPhi (230 MB) into
#                  build/, takes minutes; make check compares three of the networks
#   make sanitize  the C and C++ tests, and SECONDS of stress, under the address, undefined-behaviour and thread
#                  sanitizers
#   make memcheck  the C and C++ tests under valgrind; takes minutes
#   make fuzz      random input for keys, records and caches, compared with models of them, SECONDS for each target;
#                  takes TARGETS (names) and SEED
#   make bench     phicache and its alternatives side by side (benches/peers); takes ten minutes and writes
#                  benches/reports/performance-peers.md; QUICK=1 takes a minute and only prints the small tables
#   make bench-iit  a whole program, the analysis of examples/iit, with phicache and with maps in its place
#                  (benches/iit); part of make bench; takes twenty minutes and writes
#                  benches/reports/performance-iit.md; QUICK=1 takes a minute after the build and only prints the tables
#   make bench-redis  the Redis cache, hiredis and the redis crate side by side (benches/redis); takes two minutes and
#                  writes benches/reports/performance-redis.md; QUICK=1 takes seconds and only prints the tables
#   make bench-eviction  replays recorded runs in full caches under several eviction policies, moka's and
#                  quick_cache's among them (benches/eviction); takes seconds after its build and writes
#                  benches/reports/performance-eviction.md; QUICK=1 only prints the tables
#   make bench-disk  values in files beside SQLite, LMDB, redb, a file per key, diskcache and joblib (benches/disk);
#                  takes ten minutes after its build and writes benches/reports/performance-disk.md; QUICK=1 only prints
#                  the tables; FOLDER is where the files are
#   make bench-memory  the resident memory of caches over a long run under a limit, beside moka's and a map's
#                  (benches/memory); takes two minutes after its build and writes
#                  benches/reports/performance-memory.md and the chart in docs/guide.md; QUICK=1 only prints the table
#   make bench-julia  hits from Julia beside Dict, LRUCache.jl and Memoize.jl (benches/julia); takes a minute and writes
#                  benches/reports/performance-julia.md; QUICK=1 only prints the table
#   make bench-instructions  counts the instructions of each operation with valgrind, and those of single stores in
#                  full caches
#   make build     the shared and the static library, the example, the C and C++ tests; plain make does the same
#   make docs      the API reference, made by doxygen in build/docs
#   make supply-chain  licenses, sources and advisories of all dependencies, checked by cargo-deny (built if missing)
#   make install   installs into PREFIX (/usr/local), below DESTDIR if set. After make it only copies files, so root
#                  compiles nothing. build/install_manifest.txt lists the installed files
#   make dist      a release archive in build/dist: for glibc 2.28 and newer on x86-64, or TARGET by Rust's name, such
#                  as aarch64-unknown-linux-gnu (docs/releasing.md)
#   make check-dist  makes the archive twice, and uses it in C, C++, Python and Julia with the libraries of Debian 11;
#                  part of make check
#   make header    regenerates include/phicache.h from the Rust sources
#   make symbols   regenerates the lists of the ABI, c-tests/package/{exported_symbols,abi}.txt, after an intended
#                  change
#   make clean     removes what was built and keeps the fetched tools; make distclean removes those too

BUILD ?= build
PREFIX ?= /usr/local
CARGO ?= cargo
PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export CARGO_TARGET_DIR ?= $(CURDIR)/target

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := build

NETWORK ?= examples/iit/networks/demo/ring-7.json

soak-memory: SECONDS ?= 3600
soak-disk: SECONDS ?= 3600
SECONDS ?= 60
SCALE ?= 8

BENCH = $(BUILD)/bench

.PHONY: demo test check lint stress soak-redis soak-memory soak-disk truth sanitize memcheck fuzz bench bench-peers \
        bench-iit bench-redis bench-eviction bench-disk bench-memory bench-julia bench-instructions build package \
        configure install dist check-dist header symbols docs supply-chain clean distclean toolchain

demo: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target iit -j $(JOBS)
	@echo
	@rm -rf $(BUILD)/demo-disk
	@set -- $(BUILD)/examples/iit $(NETWORK) --directory $(BUILD)/demo-disk; \
	if test -z "$$PHICACHE_REDIS_URL" && { command -v redis-server || command -v valkey-server; } > /dev/null; then \
	    $(PYTHON) -B c-tests/with_redis.py -- "$$@"; \
	else "$$@"; fi

test: toolchain
	@$(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) test

check: toolchain
	@$(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) check

lint: toolchain
	@$(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) lint

stress: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target stress -j $(JOBS)
	$(BUILD)/c-tests/stress --seconds $(SECONDS) $(THREADS:%=--threads %) $(SEED:%=--seed %)

soak-redis: configure
	@server=$$($(PYTHON) -B make/find_tool.py redis-server $(BUILD)) || exit 1; \
	    $(FIND_CMAKE); "$$cmake" --build $(BUILD) --target soak_worker -j $(JOBS) && \
	    PHICACHE_REDIS_SERVER="$$server" $(PYTHON) -B c-tests/soak/soak.py $(BUILD)/c-tests/soak_worker \
	    --seconds $(SECONDS) $(SEED:%=--seed %)

soak-memory: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target soak_memory -j $(JOBS)
	$(BUILD)/c-tests/soak_memory --seconds $(SECONDS) --scale $(SCALE) $(SEED:%=--seed %)

soak-disk: toolchain
	PHICACHE_DISK_SECONDS=$(SECONDS) $(SEED:%=SEED=%) $(CARGO) test --release --test disk_processes \
	    killed_processes -- --nocapture

truth: configure
	@python=$$($(PYTHON) -B make/find_pyphi.py $(BUILD)) || exit 1; \
	    server=$$($(PYTHON) -B make/find_tool.py redis-server $(BUILD)) || exit 1; \
	    $(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_shared -j $(JOBS) && \
	    $(PYTHON) -B tests/truth/compare.py "$$python" $(BUILD)/libphicache.so --redis-server "$$server"

sanitize: toolchain
	@SECONDS=$(SECONDS) $(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) sanitize

memcheck: build
	@$(PYTHON) -B make/run_tests.py $(BUILD) $(JOBS) memcheck

fuzz: toolchain
	@$(SEED:%=SEED=%) $(PYTHON) -B make/fuzz.py $(BUILD) $(SECONDS) $(TARGETS)

bench: bench-peers bench-iit
ifdef QUICK
	$(BENCH)/peers --quick
else
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target replay -j $(JOBS)
	$(BENCH)/peers --json $(BENCH)/figures.json
	gzip -dc c-tests/data/*.trace.gz | $(BUILD)/c-tests/replay --time > $(BENCH)/replay.txt
	$(PYTHON) -B benches/reports/performance-peers.py $(BENCH)/figures.json $(BENCH)/replay.txt
endif

bench-peers: configure
	@found=$$($(PYTHON) -B make/find_peers.py $(CARGO) $(BUILD)) || exit 1; $(FIND_CMAKE); \
	    "$$cmake" -C "$$found" -S benches/peers -B $(BENCH) -DPHICACHE_CARGO_TARGET_DIR="$$CARGO_TARGET_DIR" \
	    -DBENCH_RUST_TARGET="$$CARGO_TARGET_DIR/peers" && \
	    "$$cmake" --build $(BENCH) --target peers -j $(JOBS)

bench-iit: configure
	@lemon=$$($(PYTHON) -B make/find_lemon.py $(BUILD)) || exit 1; \
	    found=$$($(PYTHON) -B make/find_peers.py $(CARGO) $(BUILD)) || exit 1; $(FIND_CMAKE); \
	    "$$cmake" -C "$$found" -S benches/iit -B $(BENCH)-iit -DPHICACHE_CARGO_TARGET_DIR="$$CARGO_TARGET_DIR" \
	    $${lemon:+-DPHICACHE_LEMON_INCLUDE_DIR="$$lemon"} && \
	    "$$cmake" --build $(BENCH)-iit --target iit_programs -j $(JOBS)
	$(PYTHON) -B benches/reports/performance-iit.py $(BENCH)-iit $(if $(QUICK),--quick)

bench-redis: configure
	@server=$$($(PYTHON) -B make/find_tool.py redis-server $(BUILD)) && \
	    hiredis=$$($(PYTHON) -B make/find_hiredis.py $(BUILD)) || exit 1; $(FIND_CMAKE); \
	    "$$cmake" -S benches/redis -B $(BENCH)-redis -DPHICACHE_CARGO_TARGET_DIR="$$CARGO_TARGET_DIR" \
	    -DBENCH_RUST_TARGET="$$CARGO_TARGET_DIR/redis-peer" -DCMAKE_PREFIX_PATH="$$hiredis" && \
	    "$$cmake" --build $(BENCH)-redis --target redis_peers -j $(JOBS) && \
	    $(BENCH)-redis/redis_peers --server "$$server" $(if $(QUICK),--quick,--json $(BENCH)-redis/figures.json)
ifndef QUICK
	$(PYTHON) -B benches/reports/performance-redis.py $(BENCH)-redis/figures.json
endif

bench-eviction: toolchain
	@$(CARGO) build --release --locked --manifest-path benches/eviction/Cargo.toml \
	    --target-dir "$$CARGO_TARGET_DIR/eviction" && mkdir -p $(BENCH)
	gzip -dc c-tests/data/*.trace.gz | "$$CARGO_TARGET_DIR/eviction/release/phicache-eviction-bench" \
	    $(if $(QUICK),--quick,--json $(BENCH)/eviction.json)
ifndef QUICK
	$(PYTHON) -B benches/reports/performance-eviction.py $(BENCH)/eviction.json
endif

FOLDER ?= $(BUILD)/bench-disk

bench-disk: toolchain
	@python=$$($(PYTHON) -B make/find_disk_peers.py $(BUILD)) || exit 1; \
	    $(CARGO) build --release --locked --manifest-path benches/disk/Cargo.toml \
	    --target-dir "$$CARGO_TARGET_DIR/disk" && \
	    $(PYTHON) -B benches/reports/performance-disk.py "$$CARGO_TARGET_DIR/disk/release/phicache-disk-bench" \
	    "$$python" $(FOLDER) $(if $(QUICK),--quick)

bench-memory: toolchain
	@$(CARGO) build --release --locked --manifest-path benches/memory/Cargo.toml \
	    --target-dir "$$CARGO_TARGET_DIR/memory"
	$(PYTHON) -B benches/reports/performance-memory.py "$$CARGO_TARGET_DIR/memory/release/phicache-memory-bench" \
	    $(if $(QUICK),--quick)

# The packages are left out if they cannot be fetched.
bench-julia: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_shared -j $(JOBS)
	@set -e; julia=$$($(PYTHON) -B make/find_tool.py julia $(BUILD)); packages=$(abspath $(BENCH))/julia; \
	mkdir -p "$$packages"; run() { PHICACHE_LIBRARY=$(BUILD)/libphicache.so JULIA_NUM_THREADS=1 "$$@"; }; \
	export JULIA_LOAD_PATH="@:$(CURDIR)/julia/PhiCache:@stdlib" JULIA_DEPOT_PATH="$$packages:$$JULIA_DEPOT_PATH"; \
	timeout 120 "$$julia" --startup-file=no "--project=$$packages" benches/julia/packages.jl >/dev/null 2>&1 || true; \
	run "$$julia" --startup-file=no "--project=$$packages" benches/julia/main.jl $(if $(QUICK),9) \
	    > "$$packages/page.md"; cat "$$packages/page.md"; \
	$(if $(QUICK),,cp "$$packages/page.md" benches/reports/performance-julia.md)

bench-instructions: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_shared -j $(JOBS)
	@$(PYTHON) -B make/count_instructions.py $(BUILD)

build: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) -j $(JOBS)

# What make install copies: no tests, no examples.
package: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_archive phicache_shared phicache-info -j $(JOBS)

configure: toolchain
	@$(FIND_CMAKE); lemon=$$($(FIND_LEMON)); "$$cmake" -S . -B $(BUILD) $${lemon:+-DPHICACHE_LEMON_INCLUDE_DIR="$$lemon"} \
	    -DPHICACHE_CARGO_TARGET_DIR="$$CARGO_TARGET_DIR" -DCMAKE_INSTALL_PREFIX="$(PREFIX)"

docs:
	@$(PYTHON) -B make/docs.py $(BUILD)

# cargo-deny is built in a folder of its own, so that its dependencies stay apart from ours.
supply-chain: toolchain
	@command -v cargo-deny > /dev/null || test -e $(BUILD)/tools/cargo-deny/bin/cargo-deny || \
	    CARGO_TARGET_DIR=$(abspath $(BUILD))/tools/cargo-deny-build \
	    $(CARGO) install cargo-deny --locked --root $(BUILD)/tools/cargo-deny
	@PATH="$$PATH:$(abspath $(BUILD))/tools/cargo-deny/bin"; failed=; \
	    for subject in "bans licenses sources" advisories; do \
	    for manifest in Cargo.toml fuzz/Cargo.toml tests/loom/Cargo.toml; do \
	        echo "$$manifest: $$subject"; \
	        cargo-deny --manifest-path $$manifest --config deny.toml check $$subject || \
	            failed="$$failed $$manifest: $$subject;"; \
	    done; done; \
	    test -z "$$failed" || { \
	        echo "failed:$$failed see cargo-deny's output above. It fetches the advisories from RustSec's database on" \
	             "GitHub; if GitHub is out of reach, only the advisories remain unchecked." >&2; exit 1; }

install:
	@test -e $(BUILD)/libphicache.so -a -e $(BUILD)/tools/phicache-info || $(MAKE) package
	@$(FIND_CMAKE); umask 022; "$$cmake" --install $(BUILD) --prefix "$(PREFIX)"
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ! command -v ldconfig > /dev/null || ldconfig

dist: toolchain
	@$(PYTHON) -B make/dist.py $(BUILD) $(JOBS) $(TARGET)

check-dist: toolchain
	@$(PYTHON) -B make/check_dist.py $(BUILD) $(JOBS)

header: toolchain
	@mkdir -p include
	cp "$$($(PYTHON) -B make/generated_header.py $(CARGO))" include/phicache.h

symbols: configure
	@$(FIND_CMAKE); "$$cmake" --build $(BUILD) --target phicache_symbols -j $(JOBS)

clean:
	rm -rf $(filter-out $(BUILD)/tools,$(wildcard $(BUILD)/*)) "$$CARGO_TARGET_DIR"

distclean: clean
	rm -rf $(BUILD)

# The programs that the scripts in make/ cannot fetch.
toolchain:
	@command -v $(CARGO) > /dev/null || { \
	    echo "$(CARGO) is missing. Install a Rust toolchain with rustup, which needs no root: https://rustup.rs" >&2; \
	    exit 1; }
	@for program in cc c++ $(PYTHON); do \
	    command -v $$program > /dev/null || { \
	        echo "$$program is missing. phicache needs a Rust toolchain, gcc, g++, make and python3." \
	             "On Debian, as root: apt-get install gcc g++ make python3" >&2; exit 1; }; \
	done

# Only the targets that build examples/iit fetch its solver; without it, the rest is built.
demo build: FIND_LEMON = $(PYTHON) -B make/find_lemon.py $(BUILD)

FIND_CMAKE = cmake=$$($(PYTHON) -B make/find_tool.py cmake $(BUILD)) || exit 1

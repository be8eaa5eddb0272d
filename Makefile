.PHONY: demo test nightly build fuzz

# Builds the shipped binaries and runs both boxes on this machine; Ctrl-C ends it.
demo: build
	exec target/release/chronolease-lab demo --dir target/demo

build:
	cargo build --locked --release --workspace --bins

# Installs what the tests need, then runs all of them.
test:
	tests/scripts/test.sh

# The long form; its results belong under docs/results/.
nightly:
	tests/scripts/nightly.sh

# Feeds every fuzz target for ten minutes; needs a nightly toolchain.
fuzz:
	tests/scripts/fuzz.sh

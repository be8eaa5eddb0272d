.PHONY: demo test model model-long sim-long nightly build fuzz

# Builds the shipped binaries and runs both boxes on this machine; Ctrl-C ends it.
demo: build
	exec target/release/chronolease-lab demo --dir target/demo

build:
	tests/scripts/shipped.sh

# Installs what the tests need, then runs all of them.
test:
	tests/scripts/test.sh

# Searches the model of the lease and the witness for two minutes at most.
model:
	tests/scripts/model.sh

# The same for at least 10 million states; its result belongs under docs/results/.
model-long:
	tests/scripts/model.sh long

# 10,000 seeds of the simulator; its result belongs under docs/results/.
sim-long:
	tests/scripts/sim.sh

# The long form; its results belong under docs/results/.
nightly:
	tests/scripts/nightly.sh

# Feeds every fuzz target for ten minutes; needs a nightly toolchain.
fuzz:
	tests/scripts/fuzz.sh

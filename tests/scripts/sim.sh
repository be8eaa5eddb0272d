#!/bin/sh
# What `make sim-long` does: many seeds of the simulator, and every broken core at its seed. The
# outcome goes to docs/results/sim.md, overwritten by each run, to be committed.
#
#   sim.sh          10,000 seeds
#   sim.sh 500      so many
set -eu
cd "$(dirname "$0")/../.."

. tests/scripts/page.sh

seeds=${1:-10000}
tables=target/sim.tables
rc=0
# Not as a release: cores whose conditions can be left out cannot be one.
cargo run --locked -p chronolease-sim -- --seeds "$seeds" --controls --threads "$(nproc)" \
    --tables "$tables" || rc=$?
page docs/results/sim.md "$tables" "$rc" <<'END'
# The newest long run of the simulator

Written by `make sim-long`; the world, the oracle and the broken cores are explained in
`docs/simulator.md`.
END
exit "$rc"

#!/bin/sh
# What `make sim-long` does: many seeds of the simulator, and every broken core at its seed. The
# outcome goes to docs/results/sim.md, overwritten by each run, to be committed.
#
#   sim.sh          10,000 seeds, and a tenth of it with two TSUs
#   sim.sh 500      so many
set -eu
cd "$(dirname "$0")/../.."

. tests/scripts/page.sh

seeds=${1:-10000}
tables=target/sim.tables
rc=0
# Not as a release: cores whose conditions can be left out cannot be one.
simulate() {
    into=$1
    shift
    rm -f "$into"
    cargo run --locked -p chronolease-sim -- --threads "$(nproc)" --tables "$into" "$@" || rc=$?
}
simulate "$tables" --seeds "$seeds" --controls
simulate "$tables.two" --seeds "$(((seeds + 9) / 10))" --tsus 2
{
    printf '\n## Two TSUs under one monitor\n\n'
    cat "$tables.two"
} >>"$tables"
page docs/results/sim.md "$tables" "$rc" <<'END'
# The newest long run of the simulator

Written by `make sim-long`; the world, the oracle and the broken cores are explained in
`docs/simulator.md`.
END
exit "$rc"

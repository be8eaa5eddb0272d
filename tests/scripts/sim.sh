#!/bin/sh
# What `make sim-long` does: many seeds of the simulator, and every broken core at its seed. The
# outcome goes to docs/results/sim.md, overwritten by each run, to be committed.
#
#   sim.sh          10,000 seeds
#   sim.sh 500      so many
set -eu
cd "$(dirname "$0")/../.."

seeds=${1:-10000}
results=docs/results/sim.md
tables=target/sim.tables
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit, with changes"
began_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
began=$(date +%s)
rc=0
# Not as a release: cores whose conditions can be left out cannot be one.
cargo run --locked -p chronolease-sim -- --seeds "$seeds" --controls --threads "$(nproc)" \
    --tables "$tables" || rc=$?
took=$(($(date +%s) - began))
{
    echo "# The newest long run of the simulator"
    echo
    echo "Written by \`make sim-long\`; the world, the oracle and the broken cores are explained in"
    echo "\`docs/simulator.md\`."
    echo
    echo "- date: $began_at"
    echo "- commit: $commit"
    echo "- machine: $(nproc) processors, Linux $(uname -r), $(rustc --version)"
    echo "- duration: $took s"
    echo "- result: $([ "$rc" = 0 ] && echo passed || echo FAILED)"
    echo
    cat "$tables"
} >"$results"
exit "$rc"

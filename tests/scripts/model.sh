#!/bin/sh
# Searches the model of the lease and the witness.
#
#   model.sh        what `make model` does: two minutes at most on two processors
#   model.sh long   what `make model-long` does: at least 10 million different states; the outcome
#                   goes to docs/results/model.md, overwritten by each run, to be committed
set -eu
cd "$(dirname "$0")/../.."

LONG=12000000
UNIQUE_MIN=10000000

if [ "${1:-}" != long ]; then
    exec cargo run --locked --release -p chronolease-model
fi

results=docs/results/model.md
tables=target/model.tables
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit, with changes"
began_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
began=$(date +%s)
rc=0
cargo run --locked --release -p chronolease-model -- --states "$LONG" --tables "$tables" || rc=$?
took=$(($(date +%s) - began))
unique=$(sed -n 's/^Together \([0-9]*\) unique.*/\1/p' "$tables")
if [ "${unique:-0}" -lt "$UNIQUE_MIN" ]; then
    echo "model.sh: ${unique:-0} unique states, fewer than $UNIQUE_MIN" >&2
    rc=1
fi
{
    echo "# The newest long search of the model"
    echo
    echo "Written by \`make model-long\`; what the worlds and controls are stands in"
    echo "\`docs/safety.md\`. A bounded search ends after $LONG generated states, an exhaustive one"
    echo "when there are no others."
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

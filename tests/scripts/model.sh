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

. tests/scripts/page.sh

tables=target/model.tables
rc=0
cargo run --locked --release -p chronolease-model -- --states "$LONG" --tables "$tables" || rc=$?
unique=$(sed -n 's/^Together \([0-9]*\) unique.*/\1/p' "$tables")
if [ "${unique:-0}" -lt "$UNIQUE_MIN" ]; then
    echo "model.sh: ${unique:-0} unique states, fewer than $UNIQUE_MIN" >&2
    rc=1
fi
page docs/results/model.md "$tables" "$rc" <<END
# The newest long search of the model

Written by \`make model-long\`; what the worlds and controls are stands in
\`docs/safety.md\`. A bounded search ends after $LONG generated states, an exhaustive one
when there are no others.
END
exit "$rc"

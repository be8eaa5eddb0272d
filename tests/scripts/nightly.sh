#!/bin/sh
# What `make nightly` does: the checks that take too long for every change, then all tests.
#
#   nightly.sh             every step
#   nightly.sh deny docs   these steps alone
#
# The outcome goes to docs/results/nightly.md, overwritten by each run, to be committed. The exit
# code is 0 only when no step failed.
set -eu
cd "$(dirname "$0")/../.."

ALL="test deny advisories docs properties model simulator fuzz"
ABSENT="rig"
CASES=20000

steps=${*:-$ALL}
for step in $steps; do
    case " $ALL " in
    *" $step "*) ;;
    *)
        echo "nightly.sh: no step $step; there are: $ALL" >&2
        exit 2
        ;;
    esac
done

results=docs/results/nightly.md
logs=target/nightly
rows=$logs/rows
mkdir -p "$logs" "$(dirname "$results")"
: >"$rows"
failures=0
note=""

have_deny() { command -v cargo-deny >/dev/null || cargo install --locked cargo-deny; }

deny() {
    have_deny && cargo deny --locked check bans licenses sources
}

# Needs the RustSec database. Exit code 75: it cannot be had, so nothing was checked.
advisories() {
    have_deny || return 1
    said=$logs/advisories.said
    if cargo deny --locked check advisories >"$said" 2>&1; then
        cat "$said"
        return 0
    fi
    cat "$said"
    ! grep -qiE 'failed to (fetch|open|load|clone|update) .*advisory' "$said" || return 75
    return 1
}

docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
}

# Optimised, because a case counts for more than the time it takes.
properties() {
    PROPTEST_CASES=$CASES cargo test --locked --release --lib \
        -p chronolease-core -p chronolease-monitor -p chronolease-tsu
}

# Exit code 75 comes through: without a nightly toolchain nothing is run.
fuzz() {
    tests/scripts/fuzz.sh 600
}

# Also writes docs/results/model.md.
model() {
    make model-long
}

# Also writes docs/results/sim.md.
simulator() {
    make sim-long
}

remark() {
    case $1 in
    model) sed -n 's/^Together //p' target/model.tables ;;
    simulator) sed -n 's/^Together //p' target/sim.tables | paste -sd ';' | sed 's/;/; with two TSUs /' ;;
    properties) echo "$(grep -cE '^test .* ok$' "$2") passed, $CASES cases for each property" ;;
    fuzz) echo "$(grep -c '^-- ' "$2") targets, 600 s each, $(grep -E '^stat::number_of_executed_units' "$2" | awk '{ n += $2 } END { print n + 0 }') inputs" ;;
    test) grep -E '^[0-9]+ passed, [0-9]+ failed$' "$2" | tail -n 1 ;;
    *) ;;
    esac
}

# Runs one step, shows its output as it comes, and notes how it went.
take() {
    step=$1 log=$logs/$1.log code=$logs/$1.code
    printf '\n== %s\n' "$step"
    began=$(date +%s)
    if [ "$step" = test ]; then command="make test"; else command=$step; fi
    { rc=0; $command || rc=$?; echo "$rc" >"$code"; } 2>&1 | tee "$log"
    took=$(($(date +%s) - began))
    case $(cat "$code") in
    0) result=passed ;;
    75)
        case $step in
        fuzz) result="NOT RUN" note="there is no nightly toolchain" ;;
        *) result="NOT CHECKED" note="the RustSec database cannot be fetched" ;;
        esac
        ;;
    *) result=FAILED failures=$((failures + 1)) ;;
    esac
    note=${note:-$(remark "$step" "$log")}
    echo "| $step | $result | ${took} s | $note |" >>"$rows"
    note=""
}

began_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
for step in $ALL; do
    case " $steps " in
    *" $step "*) take "$step" ;;
    *) echo "| $step | not run | | left out of this run |" >>"$rows" ;;
    esac
done
for step in $ABSENT; do
    echo "| $step | not there yet | | |" >>"$rows"
done

commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit, with changes"
{
    echo "# The newest nightly run"
    echo
    echo "Written by \`make nightly\`; the steps are explained in \`docs/development.md\`."
    echo
    echo "- date: $began_at"
    echo "- commit: $commit"
    echo "- machine: $(nproc) processors, Linux $(uname -r), $(rustc --version)"
    echo
    echo "| step | result | duration | remark |"
    echo "|---|---|---|---|"
    cat "$rows"
} >"$results"

printf '\n'
cat "$rows"
echo "$failures failed; see $results"
[ "$failures" -eq 0 ]

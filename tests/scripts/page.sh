# Sourced by the scripts that write a page of docs/results for one long run: what all of them say of
# its circumstances. Source it before the run, from the repository's root.

page_commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || page_commit="$page_commit, with changes"
page_began_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
page_began=$(date +%s)

# page RESULTS TABLES RC: writes the page. Its heading and what it is about come on standard input.
page() {
    page_took=$(($(date +%s) - page_began))
    {
        cat
        echo
        echo "- date: $page_began_at"
        echo "- commit: $page_commit"
        echo "- machine: $(nproc) processors, Linux $(uname -r), $(rustc --version)"
        echo "- duration: $page_took s"
        echo "- result: $([ "$3" = 0 ] && echo passed || echo FAILED)"
        echo
        cat "$2"
    } >"$1"
}

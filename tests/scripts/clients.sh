#!/bin/sh
# Makes the independent clients of tests/clients ready below target/clients, in the versions that
# are pinned there. What is up to date is left alone.
set -eu
cd "$(dirname "$0")/../.."

source=$PWD/tests/clients
target=$PWD/target/clients
java_path=/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar
mkdir -p "$target"

# $1: what was made; the others: what it is made from. Whether it must be made anew.
is_stale() {
    made=$1
    shift
    ! cat "$@" | cmp -s - "$target/$made.from"
}
made() {
    name=$1
    shift
    cat "$@" >"$target/$name.from"
}

if is_stale python "$source/requirements.txt"; then
    rm -rf "$target/python"
    python3 -m venv "$target/python"
    "$target/python/bin/pip" install --quiet --disable-pip-version-check \
        -r "$source/requirements.txt"
    made python "$source/requirements.txt"
fi

if is_stale node "$source/package.json" "$source/package-lock.json" "$source/pkijs_client.mjs"; then
    rm -rf "$target/node"
    mkdir "$target/node"
    cp "$source/package.json" "$source/package-lock.json" "$source/pkijs_client.mjs" "$target/node/"
    (cd "$target/node" && npm ci --silent --no-audit --no-fund)
    made node "$source/package.json" "$source/package-lock.json" "$source/pkijs_client.mjs"
fi

if is_stale java "$source/BouncyCastleClient.java"; then
    rm -rf "$target/java"
    javac -cp "$java_path" -d "$target/java" "$source/BouncyCastleClient.java"
    made java "$source/BouncyCastleClient.java"
fi

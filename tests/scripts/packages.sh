#!/bin/sh
# Installs the Debian packages that the tests need, or says exactly which are missing.
set -eu

needed="openssl curl faketime chrony ca-certificates perl osslsigncode libbcpkix-java iproute2"
# These may have come from elsewhere too.
command -v jarsigner >/dev/null && command -v javac >/dev/null || needed="$needed default-jdk-headless"
command -v node >/dev/null && command -v npm >/dev/null || needed="$needed nodejs npm"
python3 -c 'import ensurepip' 2>/dev/null || needed="$needed python3-venv"
missing=""
for package in $needed; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    echo "make test needs these Debian packages:$missing" >&2
    echo "install them as root: apt-get install$missing" >&2
    exit 1
fi

# chrony is wanted as a program alone: its service must not touch this machine's clock.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod 755 "$policy"
    trap '$root rm -f "$policy"' EXIT
fi
echo "installing$missing"
$root apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null

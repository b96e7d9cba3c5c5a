# Sourced by scripts/demo and scripts/test: makes what they need from git, Python >= 3.11 and npm.
# Each step notes what it was made from, so that the next start takes seconds.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'scripts/%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# The first Python on the PATH that is new enough.
find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "needs Python 3.11 or newer on the PATH; python3 here is: $(python3 --version 2>&1 || true)"
}

# The scripts of a virtual environment name its folder: one that was moved is made anew.
make_venv() {
  local python
  [ "$(cat .venv/made-in 2>/dev/null)" = "$root" ] && .venv/bin/python -c '' 2>/dev/null && return
  python=$(find_python)
  say "Making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv || die "$python cannot make virtual environments (on Debian: apt-get install python3-venv)"
  echo "$root" >.venv/made-in
}

fingerprint() { cat "$@" pyproject.toml | git hash-object --stdin; }

# install_packages LOCK [LOCK…]: what the first lock file pins, and the project itself. The others are parts of the first.
install_packages() {
  local lock
  make_venv
  grep -qxs "$(fingerprint "$1")" .venv/installed && return
  say "Installing what $1 pins"
  rm -f .venv/installed
  .venv/bin/pip install -qq --disable-pip-version-check --require-hashes --requirement "$1"
  .venv/bin/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
  for lock in "$@"; do fingerprint "$lock"; done >.venv/installed
}

install_graphiql() {
  scripts/graphiql || say "GraphiQL could not be fetched: /graphql falls back to Strawberry's page, which needs the internet"
}

# For the browser tests, where this user may install packages.
install_chromium() {
  local name
  for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && return
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing Chromium for the browser tests"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } >/dev/null
  else
    say "No Chromium was found: the browser tests are skipped"
  fi
}

# The JavaScript clients that the tests speak to the server with, pinned by tests/support/node/package-lock.json.
install_clients() {
  local me stamp=tests/support/node/node_modules/made-by
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "NODE WAS NOT FOUND: the tests with JavaScript clients and checkers are skipped (install Node 20 or newer with npm)"
    return
  fi
  me=$(git hash-object tests/support/node/package-lock.json)
  [ "$(cat "$stamp" 2>/dev/null)" = "$me" ] && return
  say "Installing what tests/support/node/package-lock.json pins"
  (cd tests/support/node && npm ci --loglevel error >/dev/null)
  echo "$me" >"$stamp"
}

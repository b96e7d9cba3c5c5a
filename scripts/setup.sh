# Sourced by the other scripts. Changes to the project's root and defines functions that install what the scripts need.
# The machine needs Bash, git, Python 3.11 or newer and, for the JavaScript parts, Node with npm.
# Each installation leaves a stamp that says what it was made from, so that it is skipped until that changes.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
# Containers often set this variable. Without caches each process compiles the server, and pytest its tests, again: two seconds.
unset PYTHONDONTWRITEBYTECODE

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'scripts/%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Prints the first Python on the PATH that is new enough.
find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "Python 3.11 or newer must be on the PATH; python3 is: $(python3 --version 2>&1 || true)"
}

# Creates .venv, or recreates it if the project's folder was moved: the scripts in a virtual environment contain its path.
make_venv() {
  local python
  [ "$(cat .venv/made-in 2>/dev/null)" = "$root" ] && .venv/bin/python -c '' 2>/dev/null && return
  # --clear would follow a link and empty the folder of another worktree.
  [ ! -L .venv ] || die ".venv is a link to $(readlink .venv), which was made for another folder; remove the link first"
  python=$(find_python)
  say "Creating .venv with $("$python" --version)"
  "$python" -m venv --clear .venv || die "$python cannot create virtual environments (on Debian: apt-get install python3-venv)"
  echo "$root" >.venv/made-in
}

fingerprint() { cat "$@" pyproject.toml | git hash-object --stdin; }

# install_packages LOCK [LOCK…]: installs the packages that the first lock file pins, and the project itself.
# The other lock files must be subsets of the first; they count as installed too.
install_packages() {
  local lock
  make_venv
  grep -qxs "$(fingerprint "$1")" .venv/installed && return
  say "Installing the packages that $1 pins"
  rm -f .venv/installed
  .venv/bin/pip install -qq --disable-pip-version-check --require-hashes --requirement "$1"
  .venv/bin/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
  for lock in "$@"; do fingerprint "$lock"; done >.venv/installed
}

# Stops the script if the test tools are not installed.
require_test_tools() {
  [ -x .venv/bin/pytest ] || die "the test tools are not installed; run scripts/install first"
  grep -qxs "$(fingerprint tests/requirements.lock)" .venv/installed ||
    say "pyproject.toml or a lock file has changed since the last scripts/install"
}

install_graphiql() {
  scripts/graphiql || say "GraphiQL could not be downloaded: /graphql will serve Strawberry's page, which needs internet access"
}

# Installs the packages that app/web/package-lock.json pins. Returns 1 if there is no suitable Node.
install_web_packages() {
  local source stamp=app/web/node_modules/made-by
  if ! command -v npm >/dev/null || ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a === 20 && +b >= 19) ? 0 : 1)'; then
    say "Node 20.19 or newer with npm was not found"
    return 1
  fi
  source=$(git hash-object app/web/package-lock.json)
  [ "$(cat "$stamp" 2>/dev/null)" = "$source" ] && return
  say "Installing the packages that app/web/package-lock.json pins"
  (cd app/web && npm ci --loglevel error >/dev/null)
  echo "$source" >"$stamp"
}

install_web() {
  scripts/web || say "The web application could not be built: / will say so, and GraphiQL and the APIs work without it"
}

# Installs Chromium for the browser tests if this user may install packages: the headless shell, which tests start faster.
install_chromium() {
  local name
  for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && return
  done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing Chromium for the browser tests"
    apt-get update -qq >/dev/null
    for name in chromium-headless-shell chromium; do
      DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$name" >/dev/null && return
    done
    return 1
  else
    say "Chromium was not found: the browser tests will be skipped"
  fi
}

# Installs the proxies, the pooler, Redis and tools that tests run, if this user may install packages.
install_components() {
  local component package missing=() as_root=()
  for component in nginx=nginx-light haproxy=haproxy pgbouncer=pgbouncer redis-server=redis-server \
    systemd-analyze=systemd curl=curl; do
    package=${component#*=}
    PATH=$PATH:/usr/sbin command -v "${component%=*}" >/dev/null || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    say "NOT FOUND: ${missing[*]}: their tests will fail in CI and be skipped elsewhere (on Debian: apt-get install ${missing[*]})"
    return
  fi
  say "Installing ${missing[*]} for the tests with real components"
  "${as_root[@]}" bash -s -- "${missing[@]}" >/dev/null <<'END'
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # Debian starts what it installs, unless this file says no
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
END
}

# Installs the JavaScript clients and checkers of the tests, pinned by tests/support/node/package-lock.json.
install_clients() {
  local source stamp=tests/support/node/node_modules/made-by
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "NODE WAS NOT FOUND: the tests with JavaScript clients and checkers will be skipped (install Node 20 or newer with npm)"
    return
  fi
  source=$(git hash-object tests/support/node/package-lock.json)
  [ "$(cat "$stamp" 2>/dev/null)" = "$source" ] && return
  say "Installing the packages that tests/support/node/package-lock.json pins"
  (cd tests/support/node && npm ci --loglevel error >/dev/null)
  echo "$source" >"$stamp"
}

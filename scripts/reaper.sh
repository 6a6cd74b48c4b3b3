#!/bin/sh
# `reaper.sh NAME=value` waits until its standard input ends and then kills every process that has NAME=value in its
# environment. The input is a pipe from the process that started the reaper: the system closes it however that process
# ends, SIGKILL included.
trap '' HUP INT QUIT TERM
mark=$1
read -r _ || :

# The numbers of the processes with the mark. A zombie has no environment any more.
marked() {
  if [ -d /proc/self ]; then
    grep -lzxF -e "$mark" /proc/[0-9]*/environ 2>/dev/null | sed 's|^/proc/||; s|/environ$||'
  else
    ps -axww -E -o pid=,command= | grep -F -e " $mark" | sed 's/^ *//; s/ .*//'
  fi
}

# A process that starts another one at this moment is found in the next round. A process that cannot be killed (it waits
# for a disk) is left after 30 s.
rounds=300
empty=0
while [ "$rounds" -gt 0 ] && [ "$empty" -lt 2 ]; do
  pids=$(marked)
  if [ -z "$pids" ]; then
    empty=$((empty + 1))
  else
    empty=0
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || :
  fi
  rounds=$((rounds - 1))
  sleep 0.1
done

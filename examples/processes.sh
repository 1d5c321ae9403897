#!/bin/sh
# Several processes over Redis from start to end: a server, two processes at once, a third one, and the server's end.
#
#     sh examples/processes.sh build/examples/processes_cpp
#
# The server is $PHICACHE_REDIS_SERVER, redis-server or valkey-server. To have one without installing it:
#
#     export PHICACHE_REDIS_SERVER=$(python3 -B make/find_tool.py redis-server build)
#
# It prints
#
#     two processes at once: 80 answers, 40 computed
#     a third process: 40 answers, 0 computed
set -eu
program=$1
server=${PHICACHE_REDIS_SERVER:-$(command -v redis-server || command -v valkey-server || true)}
if [ -z "$server" ]; then
    echo "SKIPPED: there is no redis-server; the first lines of $0 say how to have one"
    exit 77
fi

# A server for this run: in a new folder, on a unix socket, without a network port and without files. It ends with this
# script, or after ten minutes if the script is killed.
folder=$(mktemp -d)
timeout 600 "$server" --port 0 --unixsocket "$folder/socket" --dir "$folder" --save '' --appendonly no \
    > "$folder/log" 2>&1 &
running=$!
trap 'kill $running 2> /dev/null; wait $running || true; rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
until grep -qi 'ready to accept connections' "$folder/log"; do
    kill -0 $running 2> /dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.05
done

# Where the processes find it. Over TCP it would be redis://host:6379.
export PHICACHE_REDIS_URL="unix://$folder/socket"

"$program" 0 > "$folder/one" &
one=$!
"$program" 20 > "$folder/two"
wait $one
cat "$folder/one" "$folder/two" | awk '
    { answers += $1; computed += $3 }
    END { print "two processes at once: " answers " answers, " computed " computed" }'
echo "a third process: $("$program")"

#!/usr/bin/env python3
"""Tests that phicache-info prints correct facts and no password: test_info.py PROGRAM VERSION LIBRARY"""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

PROGRAM, VERSION, LIBRARY = sys.argv[1], sys.argv[2], Path(sys.argv[3]).resolve()
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PHICACHE_")}


def info(*arguments, before=(), prepare=None, **variables):
    """The exit status, the text after each title, and everything that was printed."""
    run = subprocess.run([*before, PROGRAM, *arguments], env={**CLEAN, **variables}, preexec_fn=prepare,
                         capture_output=True, text=True)
    return run.returncode, {line[:20].strip(): line[20:] for line in run.stdout.splitlines()}, run.stdout + run.stderr


def expect(holds, what, printed):
    if not holds:
        sys.exit(f"FAILED {what}; phicache-info printed:\n{printed}")
    print(f"ok     {what}")


status, told, printed = info()
expect(status == 0 and told["phicache"] == f"{VERSION}, used by a program of {VERSION}", "it tells both versions", printed)
expect(Path(told["library"]).resolve() == LIBRARY, "it tells which library it uses", printed)
expect("redis" in told["features"] and "TLS" in told["features"], "it tells the features", printed)
physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
expect(abs(int(told["physical memory"].split()[0]) - physical) <= physical / 100, "it tells the physical memory", printed)
limit = int(told["usable memory"].split()[0])
expect(0 < limit <= physical * 1.01 and "control group" in told["usable memory"], "it tells what may be used", printed)
expect(0 < int(told["used now"].split()[0]) < limit, "it tells what is occupied", printed)
if "no control group" in told["usable memory"]:
    expect(told["room for caches"].startswith("unlimited"), "it tells that there is no limit", printed)
    expect(told["unknown"].startswith("nothing"), "it tells that all figures are known", printed)
expect(told["environment"] == "no variable PHICACHE_… is set" and told["maximum memory"].startswith("50 %"),
       "it tells the defaults", printed)

def limits(printed):
    """Of each limit that is listed: the bytes or None, the bytes used, the room or None, and whether it counts."""
    form = re.compile(r"(?:limits)? +(\S[^:]*): (?:unlimited|(\d+) bytes.*?), used (\d+) bytes \([^)]*\)"
                      r"(?:, room for caches (\d+) bytes \([^)]*\))?( \(this limit counts now\))?")
    found = (form.fullmatch(line) for line in printed.splitlines())
    number = lambda text: None if text is None else int(text)
    return {line[1]: (number(line[2]), int(line[3]), number(line[4]), line[5] is not None) for line in found if line}


listed = limits(printed)
expect({"physical memory", "RLIMIT_AS", "RLIMIT_DATA"} <= listed.keys(), "it lists the limits", printed)
expect(abs(listed["physical memory"][0] - physical) <= physical / 100 and listed["physical memory"][2] is not None,
       "it tells how much of the physical memory caches may take", printed)
rooms = [room for _, _, room, _ in listed.values() if room is not None]
expect([room for _, _, room, counts in listed.values() if counts] == [min(rooms)], "the nearest limit counts", printed)
expect(told["full caches"].startswith("by default"), "it tells what full caches do", printed)

status, told, printed = info(PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE="12.5", PHICACHE_CACHE_REPERTOIRES="off",
                             PHICACHE_ON_FULL="evict",
                             PHICACHE_REDIS_URL="redis://user:very-secret@host.example:6380/2")
expect(status == 0 and told["maximum memory"].startswith("12.5 %") and told["cache repertoires"] == "off",
       "it tells what the environment sets", printed)
expect(told["full caches"] == "evict", "it tells that the environment makes full caches evict", printed)
expect("PHICACHE_REDIS_URL" in told["environment"] and "host.example:6380/2" in told["Redis URL"],
       "it tells the variables by name, and the Redis URL", printed)
expect("very-secret" not in printed, "it tells no password", printed)
expect("redis no" in told["features"] or told["Redis server"].startswith("does not answer"),
       "it tells that a server does not answer", printed)

# Neither a password as it is in the URL, nor its decoded form, nor a long part of either is printed.
for password in "very-secret", "s%22e%27c%40r%2Fe%3At", "%C3%A9%00%1B%5B31m-secret", "long-" + "0123456789" * 20, "x%2541-secret":
    status, told, printed = info(PHICACHE_REDIS_URL=f"redis://user:{password}@127.0.0.1:1")
    forms = password, unquote(password, errors="replace"), repr(unquote(password))[1:-1]
    parts = {form[at:at + 8] for form in forms for at in range(max(1, len(form) - 7))}
    expect(not any(part in printed for part in parts), f"it tells nothing of the password {password[:20]}", printed)

status, told, printed = info(PHICACHE_CACHE_REPERTOIRES="perhaps")
expect(status == 1 and "PHICACHE_CACHE_REPERTOIRES" in told["maximum memory"] and told["phicache"].startswith(VERSION),
       "it tells an invalid variable, and still everything else", printed)

gibibyte = 1 << 30
status, told, printed = info(prepare=lambda: resource.setrlimit(resource.RLIMIT_AS, (gibibyte, gibibyte)))
expect(status == 0 and 0 < int(told["room for caches"].split()[0]) < gibibyte * 0.9, "it tells the limit of RLIMIT_AS",
       printed)
bytes_, used, room, counts = limits(printed)["RLIMIT_AS"]
expect(bytes_ == gibibyte and used + room == gibibyte // 10 * 9 and counts, "it tells that RLIMIT_AS counts", printed)

# Hides /proc behind an empty folder, for this process only.
namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
hidden = [*namespace, "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
if shutil.which("unshare") and subprocess.run([*hidden, "true"], capture_output=True).returncode == 0:
    # Without /proc the loader does not know the program's folder, so it needs the path of the library.
    status, told, printed = info(before=hidden, LD_LIBRARY_PATH=str(LIBRARY.parent))
    expect(status == 0 and abs(int(told["physical memory"].split()[0]) - physical) <= physical / 100,
           "it tells the physical memory without /proc", printed)
    expect("could not be read" in told["used now"] and "memory of the process" in told["unknown"]
           and "limits of control groups" in told["unknown"], "it tells what it could not read", printed)
else:
    print("SKIPPED what it tells without /proc: this machine does not allow a mount namespace")

status, told, printed = info("--nonsense")
expect(status == 2 and printed.startswith("usage:"), "it refuses arguments", printed)

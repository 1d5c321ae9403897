#!/usr/bin/env python3
"""Tests that phicache-info prints correct facts and no password: test_info.py PROGRAM VERSION LIBRARY"""

import ctypes
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
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
expect(status == 0 and told["phicache"] == f"{VERSION}, used by a program of {VERSION}", "it tells both versions",
       printed)
expect(Path(told["library"]).resolve() == LIBRARY, "it tells which library it uses", printed)
expect("redis" in told["features"] and "TLS" in told["features"], "it tells the features", printed)
physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
expect(abs(int(told["physical memory"].split()[0]) - physical) <= physical / 100, "it tells the physical memory",
       printed)
limit = int(told["usable memory"].split()[0])
expect(0 < limit <= physical * 1.01 and "control group" in told["usable memory"], "it tells what may be used", printed)
expect(0 < int(told["used now"].split()[0]) < limit, "it tells what is occupied", printed)
if "no control group" in told["usable memory"]:
    expect(told["room for caches"].startswith("unlimited"), "it tells that there is no limit", printed)
    expect(told["unknown"].startswith("nothing"), "it tells that all figures are known", printed)
expect(told["environment"] == "no variable PHICACHE_… is set that the library reads"
       and told["maximum memory"].startswith("50 %"), "it tells the defaults", printed)

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
expect("fraction" not in printed and "(not a fraction" in info(PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE="0.8")[2],
       "it doubts a percentage that may be a fraction", printed)
expect(told["full caches"] == "evict", "it tells that the environment makes full caches evict", printed)
expect("PHICACHE_REDIS_URL" in told["environment"] and "host.example:6380/2" in told["Redis URL"],
       "it tells the variables by name, and the Redis URL", printed)
expect("very-secret" not in printed, "it tells no password", printed)
expect("redis no" in told["features"] or told["Redis server"].startswith("does not answer"),
       "it tells that a server does not answer", printed)

# Neither a password as it is in the URL, nor its decoded form, nor a long part of either is printed.
for password in "very-secret", "s%22e%27c%40r%2Fe%3At", "%C3%A9%00%1B%5B31m-secret", "long-" + "0123456789" * 20, \
        "x%2541-secret":
    status, told, printed = info(PHICACHE_REDIS_URL=f"redis://user:{password}@127.0.0.1:1")
    forms = password, unquote(password, errors="replace"), repr(unquote(password))[1:-1]
    parts = {form[at:at + 8] for form in forms for at in range(max(1, len(form) - 7))}
    expect(not any(part in printed for part in parts), f"it tells nothing of the password {password[:20]}", printed)

expect(re.match(r"rustc \d+\.\d+\.\d+, blake3 \d", told["built from"]) and "rustix" in told["built from"]
       and ("redis no" in told["features"] or ", redis 1." in told["built from"]), "it tells what is linked", printed)
expect(os.uname().release in told["system"], "it tells the system", printed)
expect("Redis timeout" in told and told["Redis timeout"] == "1000 ms", "it tells the timeout", printed)

status, told, printed = info(PHICACHE_ON_FUL="evict", PHICACHE_HOME="/opt/phicache")
expect(status == 1 and "PHICACHE_ON_FUL (did you mean PHICACHE_ON_FULL?)" in told["mistyped"],
       "a mistyped variable is an error", printed)
expect("HOME" not in told["mistyped"], "a variable of others is none", printed)
expect(printed.count("phicache: warning: ") == 1, "the library warns once", printed)
status, told, printed = info(PHICACHE_HOME="/opt/phicache", PHICACHE_ON_FULL="evict")
expect(status == 0 and "mistyped" not in told and "warning" not in printed, "it warns of nothing else", printed)
expect(told["environment"] == "PHICACHE_ON_FULL; the library does not read PHICACHE_HOME",
       "it keeps variables of others apart", printed)
constants = re.findall(r'pub const \w+: &str = "(PHICACHE_\w+)"',
                       (Path(__file__).parent.parent / "src" / "config.rs").read_text())
status, told, printed = info(**dict.fromkeys(constants, ""))
expect(constants and sorted(told["environment"].split(", ")) == sorted(constants), "it knows the library's variables",
       printed)

status, told, printed = info(PHICACHE_CACHE_REPERTOIRES="perhaps")
expect(status == 1 and ': PHICACHE_CACHE_REPERTOIRES: "perhaps" is ' in told["settings"]
       and told["phicache"].startswith(VERSION), "it tells an invalid variable", printed)
expect(printed.count("PHICACHE_CACHE_REPERTOIRES:") == 1 and "does not answer" not in printed
       and "correct the variable" in printed, "it blames nothing else for it", printed)

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

status, told, printed = info(PHICACHE_DISK_DIRECTORY="/a/directory")
expect(status == 0 and told["disk directory"] == "/a/directory" and told["disk values"].startswith("none: "),
       "it tells the directory of disk caches", printed)
with tempfile.TemporaryDirectory() as directory:
    status, told, printed = info(PHICACHE_DISK_DIRECTORY=directory)
    expect(status == 0 and told["disk values"].startswith("0 identities and roles, 0 bytes")
           and "free" in told["disk values"], "it tells what is in it", printed)


class Bytes(ctypes.Structure):
    """C's phicache_bytes."""

    _fields_ = [("data", ctypes.c_char_p), ("len", ctypes.c_size_t)]


def fill(directory, identity, role, values):
    """Stores values as another program does: of a fingerprint and a role, or of a context if the role is None."""
    library = ctypes.CDLL(str(LIBRARY))
    config, cache = ctypes.c_void_p(), ctypes.c_void_p()
    library.phicache_disk_cache_set.argtypes = [ctypes.c_void_p, Bytes, Bytes]
    library.phicache_disk_cache_new.argtypes = [ctypes.c_void_p, ctypes.c_void_p, Bytes, ctypes.c_void_p]
    done = [library.phicache_config_new(ctypes.byref(config)),
            library.phicache_config_set_disk_directory(config, os.fsencode(directory)),
            library.phicache_disk_cache_shared(config, None, identity, role, ctypes.byref(cache)) if role else
            library.phicache_disk_cache_new(config, None, Bytes(identity, len(identity)), ctypes.byref(cache))]
    done += [library.phicache_disk_cache_set(cache, Bytes(key, len(key)), Bytes(value, len(value)))
             for key, value in values.items()]
    done += [library.phicache_disk_cache_free(cache), library.phicache_config_free(config)]
    assert done == [0] * len(done), done


def save(path, context, values):
    """Saves values to a file as another program does."""
    library = ctypes.CDLL(str(LIBRARY))
    cache, view = ctypes.c_void_p(), ctypes.c_void_p()
    library.phicache_dict_cache_set.argtypes = [ctypes.c_void_p, Bytes, Bytes]
    library.phicache_cache_save.argtypes = [ctypes.c_void_p, ctypes.c_char_p, Bytes, ctypes.c_void_p]
    done = [library.phicache_dict_cache_new(None, None, ctypes.byref(cache)),
            library.phicache_dict_cache_as_cache(cache, ctypes.byref(view))]
    done += [library.phicache_dict_cache_set(cache, Bytes(key, len(key)), Bytes(value, len(value)))
             for key, value in values.items()]
    done += [library.phicache_cache_save(view, os.fsencode(path), Bytes(context, len(context)), None),
             library.phicache_dict_cache_free(cache)]
    assert done == [0] * len(done), done


with tempfile.TemporaryDirectory() as directory:
    saved = Path(directory) / "saved"
    save(saved, b"squares, \x1bversion 1", {b"key-%d" % number: b"value" for number in range(10)})
    for arguments, damaged in ([], " damaged files"), (["--verify"], " damaged"):
        status, told, printed = info("--disk", str(saved), *arguments)
        expect(status == 0 and "  values  squares, ?version 1\n    10 records, " in printed
               and f", 0{damaged}\n" in printed, f"it shows a saved cache {' '.join(arguments)}", printed)
    content = bytearray(saved.read_bytes())
    content[content.index(b"key-5")] ^= 1
    saved.write_bytes(content)
    status, told, printed = info("--disk", str(saved), "--verify")
    expect(status == 1 and "    9 records, " in printed and ", 1 damaged\n" in printed, "it finds a flipped bit in it",
           printed)
    status, told, printed = info("--disk", str(saved), "--remove", "0" * 64)
    expect(status == 1 and "delete the file instead" in printed and saved.exists(), "it removes nothing from it",
           printed)
    saved.write_text("text")
    status, told, printed = info("--disk", str(saved))
    expect(status == 1 and "ERROR_DAMAGED" in printed, "it tells that a file is no saved cache", printed)
    saved.unlink()

    status, told, printed = info("--disk", directory)
    expect(status == 0 and "0 identities and roles, 0 records" in printed, "it tells that a directory is empty",
           printed)
    fill(directory, bytes(range(32)), b"one", {b"key-%d" % number: b"value" for number in range(100)})
    fill(directory, bytes(range(32)), b"two\x1b[31m", {b"long": bytes(100_000)})
    fill(directory, bytes([7]) * 32, b"other", {b"key": b"value"})
    first = bytes(range(32)).hex()
    status, told, printed = info("--disk", directory)
    unknown = "  (a fingerprint that the program made: its context is not stored)\n    "
    expect(status == 0 and f"{first}  one{unknown}100 records, " in printed
           and f"{first}  two?[31m{unknown}1 record, " in printed and f"{(bytes([7]) * 32).hex()}  other" in printed
           and "3 identities and roles, 102 records" in printed,
           "it lists what is in a directory, without control characters", printed)
    expect(info("--disk", directory, "--verify")[2] == printed.replace(" damaged files", " damaged"), "it verifies it",
           printed)
    relative = os.path.relpath(directory)
    expect(f"3 identities and roles" in info("--disk", relative)[2], "it takes a relative path", printed)

    segment = next(Path(directory).glob(f"1/*/{first}/one/*.seg"))
    content = bytearray(segment.read_bytes())
    content[content.index(b"key-50")] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(content)
    expect(info("--disk", directory)[0] == 0, "it reads only lists without --verify", printed)
    status, told, printed = info("--disk", directory, "--verify")
    expect(status == 1 and "    99 records, " in printed and ", 1 damaged\n" in printed, "it finds a flipped bit",
           printed)

    status, told, printed = info("--disk", directory, "--remove", first.upper())
    expect(status == 0 and printed.count(first) == 2 and "removed\n" in printed, "it removes an identity", printed)
    status, told, printed = info("--disk", directory)
    expect(first not in printed and "1 identity and role, 1 record, " in printed, "it leaves the others", printed)
    status, told, printed = info("--disk", directory, "--remove", first)
    expect(status == 0 and "nothing was removed" in printed, "it tells that there is nothing to remove", printed)
    fill(directory, b"entropy, \x1bversion 1", None, {b"key": b"value"})
    printed = info("--disk", directory)[2]
    expect("  values  entropy, ?version 1\n    1 record, " in printed, "it shows the context of an identity", printed)
    fill(directory, b"\xa1\x07\x01\0a", None, {b"key": b"value"})
    printed = info("--disk", directory)[2]
    expect("  values  \\xa1\\x07\\x01\\x00a\n" in printed, "it escapes a context that is a key", printed)
    for wrong in first[1:], first + "0", "g" + first[1:], "":
        status, told, printed = info("--disk", directory, "--remove", wrong)
        expect(status == 1 and "64 hexadecimal digits" in printed, f"it refuses the identity {wrong[:4]}…", printed)
    os.chmod(directory, 0o777)
    status, told, printed = info("--disk", directory)
    expect(status == 1 and "ERROR_STORAGE" in printed, "it refuses a directory that others may write into", printed)
    os.chmod(directory, 0o700)
status, told, printed = info("--disk", directory)
expect(status == 1 and "No such file" in printed, "it tells that a directory is missing", printed)

expect(info("--version")[0::2] == (0, f"{VERSION}\n"), "it prints the version", info("--version")[2])
for option in "-h", "--help":
    status, told, printed = info(option)
    expect(status == 0 and printed.startswith("usage: phicache-info"), f"it prints a summary for {option}", printed)
for arguments, what in ((["--nonsense"], "--nonsense is not an option"),
                        (["/tmp"], "/tmp is not expected; a directory follows --disk"),
                        (["--disk"], "--disk needs a directory"), (["--verify"], "--verify needs --disk"),
                        (["--disk", "/", "--remove"], "--remove needs a fingerprint"),
                        (["--remove", first], "--remove needs --disk"),
                        (["--disk", "/", "--verify", "--remove", first], "--verify and --remove do not go together")):
    status, told, printed = info(*arguments)
    expect(status == 2 and printed.startswith(f"phicache-info: {what}") and "\nusage:" in printed,
           f"it says what is wrong with {' '.join(arguments)[:20]}", printed)

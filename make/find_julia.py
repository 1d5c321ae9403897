#!/usr/bin/env python3
"""Prints the path of a Julia that works, and fetches one into BUILD/julia where there is none.

    find_julia.py BUILD

A julia on the PATH is taken if it can catch an exception inside a function: Debian 11's, beside Debian 12's libunwind,
cannot. Debian 12 has no Julia package, so otherwise Debian 11's is downloaded, from the same Debian archive that this
machine's own source lists name, and unpacked under BUILD. The system is left alone: apt gets a state of its own under
BUILD, nothing is installed, and no root is needed. Where it cannot be had, one message says what to do, and the exit
status is 1.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

RELEASE = "bullseye"
# The machine's own take their place: they are newer, and the library under test was built against them.
NOT_UNPACKED = {"libc6", "libc-bin", "libstdc++6", "libgcc-s1"}
CATCHES = 'f() = (try; error("x"); catch; 1; end); exit(f() == 1 ? 0 : 1)'

WRAPPER = """\
#!/bin/sh
# Debian 11's Julia with the libraries it came with; its package depot stays in this folder.
here=$(cd "$(dirname "$0")" && pwd)
lib="$here/usr/lib/{triplet}"
LD_LIBRARY_PATH="$lib:$here/lib/{triplet}:$lib/julia" JULIA_DEPOT_PATH="${{JULIA_DEPOT_PATH:-$here/depot}}" \\
    exec "$here/usr/bin/julia" "$@"
"""


class Unavailable(Exception):
    """Why no Julia could be had."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def works(julia):
    try:
        run = subprocess.run([julia, "--startup-file=no", "-e", CATCHES], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


def codename():
    """This Debian's codename, which its own sources have among their suites."""
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        text = ""
    found = re.search(r'^VERSION_CODENAME="?([a-z]+)', text, re.MULTILINE)
    if not found:
        raise Unavailable("this is not a Debian system (no codename in /etc/os-release)")
    return found.group(1)


def from_one_line(text, suite):
    """The lines 'deb [options] URI SUITE components…' for `suite`, made to name RELEASE."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s", line)
        if found and found.group(3) == suite:
            yield f"deb {found.group(1) or ''}{found.group(2)} {RELEASE} main\n"


def from_deb822(text, suite):
    """The stanzas that have `suite` among their suites, made to name RELEASE."""
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict((name.lower(), (name, value)) for name, value in
                      re.findall(r"^([A-Za-z0-9-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE))
        value = {name: entry[1].split() for name, entry in fields.items()}
        if suite not in value.get("suites", []) or "deb" not in value.get("types", []):
            continue
        if value.get("enabled", ["yes"])[0].lower() in ("no", "false", "0"):
            continue
        fields.update(types=("Types", " deb"), suites=("Suites", f" {RELEASE}"), components=("Components", " main"))
        yield "".join(f"{name}:{content}\n" for name, content in fields.values())


def sources():
    """(file name ending, content) for each Debian source of this machine, made to name RELEASE."""
    suite = codename()
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        reader = {".list": from_one_line, ".sources": from_deb822}.get(path.suffix)
        if reader and path.is_file():
            for content in reader(path.read_text(errors="replace"), suite):
                yield path.suffix, content


def apt_get(state, *arguments):
    run = subprocess.run(["apt-get", f"-c={state}/apt.conf", *arguments], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "LC_ALL": "C"})
    if run.returncode != 0:
        lines = [line for line in run.stdout.splitlines() if line.startswith(("E:", "W:"))]
        raise Unavailable("apt-get " + arguments[0] + " said: " + (lines or ["(nothing)"])[-1])


def make_apt_state(state, ending, source):
    """An apt of our own in `state`: one source, no package installed, the machine's proxy settings kept."""
    shutil.rmtree(state, ignore_errors=True)
    for folder in ("sources", "lists/partial", "cache/archives/partial", "log"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources" / f"{RELEASE}{ending}").write_text(source)
    (state / "apt.conf").write_text(f"""\
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{state}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{state}";
Dir::State::lists "{state}/lists";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Cache::archives "{state}/cache/archives";
Dir::Log "{state}/log";
Debug::NoLocking "1";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
""")


def fetch(build):
    """Downloads and unpacks Debian's Julia into `build`/julia; gives the wrapper that starts it."""
    for program in ("apt-get", "dpkg"):
        if not shutil.which(program):
            raise Unavailable(f"there is no {program} here")
    state, julia, partial = build / "apt", build / "julia", build / "julia.partial"
    reason = Unavailable(f"no Debian source for {codename()} in /etc/apt/sources.list or /etc/apt/sources.list.d")
    for ending, source in sources():
        make_apt_state(state, ending, source)
        try:
            apt_get(state, "update")
            apt_get(state, "install", "--yes", "--download-only", "julia")
            break
        except Unavailable as failure:
            reason = failure
    else:
        raise reason

    shutil.rmtree(partial, ignore_errors=True)
    for package in sorted((state / "cache/archives").glob("*.deb")):
        if package.name.split("_")[0] not in NOT_UNPACKED:
            subprocess.run(["dpkg", "-x", package, partial], check=True)
    triplet = next(partial.glob("usr/lib/*/libjulia.so*")).parent.name
    wrapper = partial / "julia"
    wrapper.write_text(WRAPPER.format(triplet=triplet))
    wrapper.chmod(0o755)
    shutil.rmtree(julia, ignore_errors=True)
    partial.rename(julia)  # all or nothing: a Julia that is there is whole
    shutil.rmtree(state)
    return julia / "julia"


def find(build):
    """The path of a Julia that works, or None, having said why."""
    on_path = shutil.which("julia")
    if on_path and works(on_path):
        return on_path
    if on_path:
        say(f"{on_path} cannot catch an exception inside a function; it is not used.")
    fetched = build / "julia" / "julia"
    if fetched.exists() and works(fetched):
        return fetched
    say(f"Julia: downloading Debian's package into {build / 'julia'} (77 MB; the system is left alone).")
    try:
        build.mkdir(parents=True, exist_ok=True)
        fetched = fetch(build)
        if not works(fetched):
            raise Unavailable(f"Debian's Julia, unpacked in {fetched.parent}, does not start")
    except (Unavailable, OSError, subprocess.CalledProcessError) as reason:
        shutil.rmtree(build / "apt", ignore_errors=True)
        say(f"Julia is missing, and could not be fetched: {str(reason).rstrip('.')}.\n"
            "Its tests are SKIPPED. To run them, put Julia 1.5 or newer on the PATH, or give this machine access to a "
            "Debian archive, and run make test again.")
        return None
    return fetched


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = find(Path(sys.argv[1]).resolve())
    if found is None:
        sys.exit(1)
    print(found)


if __name__ == "__main__":
    main()

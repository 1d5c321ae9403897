"""Debian's packages, downloaded and unpacked into a folder of ours: nothing is installed, and no root is needed.

apt gets a state of its own, and asks the archives that this machine's source lists name. What programs need beside
themselves is unpacked with them, and a wrapper for each program sets where it finds that.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WRAPPER = """\
#!/bin/sh
# A program of Debian's, where it was unpacked, with the libraries that came with it.
here=$(cd "$(dirname "$0")/.." && pwd)
export LD_LIBRARY_PATH="$here/usr/lib/{triplet}:$here/lib/{triplet}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
{environment}exec "$here/usr/bin/{name}" "$@"
"""
# Where a program would look for its own files, were it installed.
ENVIRONMENT = {"VALGRIND_LIB": "usr/libexec/valgrind", "OPENSSL_CONF": "etc/ssl/openssl.cnf"}


class Unavailable(Exception):
    """Why a package could not be had."""


def say(text):
    print(text, file=sys.stderr, flush=True)


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


def from_one_line(text, suite, release):
    """The lines 'deb [options] URI SUITE components…' for `suite`, made to name `release`."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s", line)
        if found and found.group(3) == suite:
            yield f"deb {found.group(1) or ''}{found.group(2)} {release} main\n"


def from_deb822(text, suite, release):
    """The stanzas that have `suite` among their suites, made to name `release`."""
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict((name.lower(), (name, value)) for name, value in
                      re.findall(r"^([A-Za-z0-9-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE))
        value = {name: entry[1].split() for name, entry in fields.items()}
        if suite not in value.get("suites", []) or "deb" not in value.get("types", []):
            continue
        if value.get("enabled", ["yes"])[0].lower() in ("no", "false", "0"):
            continue
        fields.update(types=("Types", " deb"), suites=("Suites", f" {release}"), components=("Components", " main"))
        yield "".join(f"{name}:{content}\n" for name, content in fields.values())


def sources(release):
    """(file name ending, content) for each Debian source of this machine, made to name another release of Debian."""
    suite = codename()
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        reader = {".list": from_one_line, ".sources": from_deb822}.get(path.suffix)
        if reader and path.is_file():
            for content in reader(path.read_text(errors="replace"), suite, release):
                yield path.suffix, content


def apt_get(state, *arguments):
    run = subprocess.run(["apt-get", f"-c={state}/apt.conf", *arguments], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "LC_ALL": "C"})
    if run.returncode != 0:
        lines = [line for line in run.stdout.splitlines() if line.startswith(("E:", "W:"))]
        raise Unavailable("apt-get " + arguments[0] + " said: " + (lines or ["(nothing)"])[-1])


def make_apt_state(state, source=None):
    """An apt of our own in `state`, with the machine's proxy settings: of this machine's release, where what is installed
    need not be unpacked; or, given a source as (file name ending, content), of that, with nothing installed."""
    shutil.rmtree(state, ignore_errors=True)
    for folder in ("sources", "lists/partial", "cache/archives/partial", "log"):
        (state / folder).mkdir(parents=True)
    settings = ""
    if source:
        ending, content = source
        (state / "sources" / f"source{ending}").write_text(content)
        (state / "status").touch()
        settings = f"""\
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{state}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Update::Error-Mode "any";
"""
    else:
        shutil.copy("/var/lib/dpkg/status", state / "status")
    (state / "apt.conf").write_text(settings + f"""\
Dir::State "{state}";
Dir::State::lists "{state}/lists";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Cache::archives "{state}/cache/archives";
Dir::Log "{state}/log";
Debug::NoLocking "1";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
""")


def unpack(packages, folder, release=None, left_out=()):
    """Downloads `packages` and what they need beside what is installed, or with a release's codename all that they need
    but `left_out`, and unpacks them into `folder`, all or nothing. Raises Unavailable."""
    for program in ("apt-get", "dpkg"):
        if not shutil.which(program):
            raise Unavailable(f"there is no {program} here")
    state, partial = folder.with_name(folder.name + ".apt"), folder.with_name(folder.name + ".partial")
    reason = Unavailable(f"no Debian source for {codename()} in /etc/apt/sources.list or /etc/apt/sources.list.d")
    try:
        for source in sources(release) if release else [None]:
            make_apt_state(state, source)
            try:
                apt_get(state, "update")
                apt_get(state, "install", "--yes", "--download-only", "--reinstall", *packages)
                break
            except Unavailable as failure:
                reason = failure
        else:
            raise reason
        shutil.rmtree(partial, ignore_errors=True)
        for package in sorted((state / "cache/archives").glob("*.deb")):
            if package.name.split("_")[0] not in left_out:
                subprocess.run(["dpkg", "-x", package, partial], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)  # all or nothing: what is there is whole
    except (OSError, subprocess.CalledProcessError) as failure:
        raise Unavailable(str(failure)) from failure
    finally:
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)


def triplet():
    """What this machine's libraries are filed under, as Debian names it."""
    return f"{os.uname().machine}-linux-gnu"


def programs(packages, folder, other_names={}):
    """Unpacks packages, and gives the folder of a wrapper for each of their programs; `other_names` are further names of
    programs. Raises Unavailable."""
    unpack(packages, folder)
    if not (folder / "usr/bin").is_dir():
        raise Unavailable(f"{', '.join(packages)} brought no program")
    for name, program in other_names.items():
        if not (folder / "usr/bin" / name).exists():
            (folder / "usr/bin" / name).symlink_to(program)
    wrappers = folder / "programs"
    wrappers.mkdir()
    environment = "".join(f'export {name}="$here/{path}"\n' for name, path in ENVIRONMENT.items()
                          if (folder / path).exists())
    for program in (folder / "usr/bin").iterdir():
        wrapper = wrappers / program.name
        wrapper.write_text(WRAPPER.format(triplet=triplet(), environment=environment, name=program.name))
        wrapper.chmod(0o755)
    return wrappers

"""Downloads Debian's packages and unpacks them into build/, for all scripts in make/ that fetch tools.

Nothing is installed and no root is needed. apt-get runs with its own state folder inside build/ and asks the archives
in this machine's source lists. Libraries that a program needs and this machine lacks are unpacked beside the program;
a wrapper script for each program says where they are.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WRAPPER = """\
#!/bin/sh
# Starts a Debian program from the folder it was unpacked into, with the libraries that came with it.
here=$(cd "$(dirname "$0")/.." && pwd)
lib="$here/usr/lib/{triplet}"
export LD_LIBRARY_PATH="$lib:$here/lib/{triplet}:$lib/{name}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
{environment}exec "$here/usr/bin/{name}" "$@"
"""


class Unavailable(Exception):
    """Why a package could not be fetched."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def codename():
    """This Debian's codename, as the suites of its source lists name it."""
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
    """The stanzas that list `suite` among their suites, made to name `release`."""
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


def apt_get(state, *arguments, folder=None):
    run = subprocess.run(["apt-get", f"-c={state}/apt.conf", *arguments], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "LC_ALL": "C"},
                         cwd=folder)
    if run.returncode != 0:
        lines = [line for line in run.stdout.splitlines() if line.startswith(("E:", "W:"))]
        raise Unavailable("apt-get " + arguments[0] + " said: " + (lines or ["(nothing)"])[-1])


def make_apt_state(state, source=None, architecture=None):
    """Makes a state folder for apt-get, with the machine's proxy settings.

    Without a source, it holds this machine's release and installed packages, which need not be unpacked again. With a
    source, (file name ending, content), it holds that release and no installed package; then it may be for another
    architecture, by Debian's name.
    """
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
        if architecture:
            settings += f'APT::Architecture "{architecture}";\nAPT::Architectures {{ "{architecture}"; }};\n'
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


def unpack(packages, folder, release=None, left_out=(), finish=None, alone=False, architecture=None):
    """Downloads `packages` and what they depend on, and unpacks them into `folder`. Raises Unavailable.

    Without a release, packages that this machine has installed are not downloaded. With a release's codename, all are,
    and all but those in `left_out` are unpacked; they may be of another architecture. With `alone`, nothing else than
    `packages` is downloaded. `finish` is called with the unpacked tree before the tree appears as `folder`: a folder
    that exists is complete.
    """
    for program in ("apt-get", "dpkg"):
        if not shutil.which(program):
            raise Unavailable(f"there is no {program} on this machine")
    state, partial = folder.with_name(folder.name + ".apt"), folder.with_name(folder.name + ".partial")
    reason = Unavailable(f"no Debian source for {codename()} in /etc/apt/sources.list or /etc/apt/sources.list.d")
    try:
        for source in sources(release) if release else [None]:
            make_apt_state(state, source, architecture)
            try:
                apt_get(state, "update")
                if alone:
                    apt_get(state, "download", *packages, folder=state / "cache/archives")
                else:
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
        if finish:
            finish(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except (OSError, subprocess.CalledProcessError) as failure:
        raise Unavailable(str(failure)) from failure
    finally:
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)


def fetch(packages, folder, purpose, **how):
    """Whether `packages` lie unpacked in `folder`, fetched now (`how`: see unpack) or by an earlier call.

    Says in one line what is fetched and for what purpose, and if it fails, why.
    """
    if folder.exists():
        return True
    say(f"Fetching Debian's {', '.join(packages)} into {folder}, {purpose}.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unpack(packages, folder, **how)
    except (Unavailable, OSError) as reason:
        say(f"That failed: {reason}")
        return False
    return True


def make_wrappers(tree, environment):
    """Writes a wrapper for each program of an unpacked tree; `environment` sets variables to places in the tree."""
    triplet = f"{os.uname().machine}-linux-gnu"  # Debian's name for this machine's libraries
    (tree / "programs").mkdir()
    lines = "".join(f'export {name}="${{{name}:-$here/{path}}}"\n' for name, path in environment.items())
    for program in (tree / "usr/bin").iterdir():
        wrapper = tree / "programs" / program.name
        wrapper.write_text(WRAPPER.format(triplet=triplet, environment=lines, name=program.name))
        wrapper.chmod(0o755)

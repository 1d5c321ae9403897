#!/usr/bin/env python3
"""Checks the crates of phicache, fuzz and tests/loom against deny.toml: check_dependencies.py

Each crate has an allowed license, comes from the registry and is not banned; each direct dependency has a line in
docs/dependencies.md. This check needs only cargo. make supply-chain runs cargo-deny, which also knows the published
advisories.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
MANIFESTS = [TOP / folder / "Cargo.toml" for folder in (".", "fuzz", "tests/loom")]
CARGO = os.environ.get("CARGO") or "cargo"


def is_allowed(expression, allowed):
    """Whether the allowed licenses satisfy an expression such as "A OR (B AND C)"; "A/B" is an older form of OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    words = []
    for token in tokens:  # "L WITH E" is one license
        if words and (token == "WITH" or words[-1].endswith("WITH")):
            words[-1] += " " + token
        else:
            words.append({"OR": "or", "AND": "and"}.get(token, token))
    return eval(" ".join(word if word in ("or", "and", "(", ")") else str(word in allowed) for word in words))


def packages(manifest, targets):
    """The packages that a manifest uses on any of these targets, for tests and the build too."""
    command = [CARGO, "metadata", "--locked", "--format-version=1", "--all-features", "--manifest-path", manifest]
    command += [f"--filter-platform={target}" for target in targets]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"cargo metadata failed for {manifest}; its message is above.")
    metadata = json.loads(run.stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in used]


def tables(manifest):
    """The names of all direct dependencies of a manifest, on every platform, for tests and the build too."""
    found = set()
    for part in [manifest, *manifest.get("target", {}).values()]:
        for table in "dependencies", "dev-dependencies", "build-dependencies":
            found |= {entry.get("package", name) if isinstance(entry, dict) else name
                      for name, entry in part.get(table, {}).items()}
    return found


def main():
    policy = tomllib.loads((TOP / "deny.toml").read_text())
    allowed = set(policy["licenses"]["allow"])
    exceptions = {exception["name"]: set(exception["allow"]) for exception in policy["licenses"]["exceptions"]}
    banned = {ban["name"] for ban in policy["bans"]["deny"]}
    described = set(re.findall(r"^\| `([\w-]+)`", (TOP / "docs" / "dependencies.md").read_text(), re.M))
    faults, count = [], 0
    for manifest in MANIFESTS:
        for package in packages(manifest, policy["graph"]["targets"]):
            name, source, license = package["name"], package["source"], package["license"] or "none"
            count += 1
            if source is None:  # a package of this repository
                ours = {dependency["name"] for dependency in package["dependencies"] if dependency["source"]}
                faults += [f"{name} uses {other}, which has no line in docs/dependencies.md"
                           for other in ours - described]
            elif not source.startswith("registry+"):
                faults.append(f"{name} comes from {source}, not from the registry")
            if not is_allowed(license, allowed | exceptions.get(name, set())):
                faults.append(f"the license of {name} {package['version']} is {license}")
            if name in banned:
                faults.append(f"deny.toml bans {name}")
    unused = described - set().union(*(tables(tomllib.loads(manifest.read_text())) for manifest in MANIFESTS))
    faults += [f"docs/dependencies.md has a line for {name}, which nothing uses" for name in unused]
    for fault in sorted(set(faults)):
        print(f"FAILED {fault}")
    if faults:
        sys.exit(1)
    print(f"ok     {count} packages meet deny.toml")


if __name__ == "__main__":
    main()

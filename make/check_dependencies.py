#!/usr/bin/env python3
"""Checks the crates in Cargo.lock, and in those of fuzz and tests/loom, by deny.toml: check_dependencies.py

Each has a license that may be, comes from the registry, and is none of those that may not be; and each that phicache names
itself has a line in docs/dependencies.md. This needs nothing but cargo; make supply-chain asks cargo-deny too, which also
knows the published advisories.
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
    """Whether a license expression can be met: "A OR (B AND C)", where "A/B" is an old way to say OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    words = []
    for token in tokens:  # an exception belongs to its license
        if words and (token == "WITH" or words[-1].endswith("WITH")):
            words[-1] += " " + token
        else:
            words.append({"OR": "or", "AND": "and"}.get(token, token))
    return eval(" ".join(word if word in ("or", "and", "(", ")") else str(word in allowed) for word in words))


def packages(manifest, targets):
    """The packages that a manifest takes for any of these targets, tests and build included."""
    command = [CARGO, "metadata", "--locked", "--format-version=1", "--all-features", "--manifest-path", manifest]
    command += [f"--filter-platform={target}" for target in targets]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"cargo cannot tell what {manifest} takes; what it said is above.")
    metadata = json.loads(run.stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in used]


def tables(manifest):
    """The names of all dependencies of a manifest, those of some platform only, of tests and of the build included."""
    found = set()
    for part in [manifest, *manifest.get("target", {}).values()]:
        for table in "dependencies", "dev-dependencies", "build-dependencies":
            found |= set(part.get(table, {}))
    return found


def main():
    policy = tomllib.loads((TOP / "deny.toml").read_text())
    allowed = set(policy["licenses"]["allow"])
    exceptions = {exception["name"]: set(exception["allow"]) for exception in policy["licenses"]["exceptions"]}
    banned = {ban["name"] for ban in policy["bans"]["deny"]}
    told = set(re.findall(r"^\| `([\w-]+)`", (TOP / "docs" / "dependencies.md").read_text(), re.M))
    faults, count = [], 0
    for manifest in MANIFESTS:
        for package in packages(manifest, policy["graph"]["targets"]):
            name, source, license = package["name"], package["source"], package["license"] or "none"
            count += 1
            if source is None:  # ours: what stands in this repository
                ours = {dependency["name"] for dependency in package["dependencies"] if dependency["source"]}
                faults += [f"{name} uses {other}, of which docs/dependencies.md knows nothing" for other in ours - told]
            elif not source.startswith("registry+"):
                faults.append(f"{name} comes from {source}, not from the registry")
            if not is_allowed(license, allowed | exceptions.get(name, set())):
                faults.append(f"the license of {name} {package['version']} is {license}")
            if name in banned:
                faults.append(f"{name} may not be used")
    named = set().union(*(tables(tomllib.loads(manifest.read_text())) for manifest in MANIFESTS))
    faults += [f"docs/dependencies.md tells of {name}, which nothing uses" for name in told - named]
    for fault in sorted(set(faults)):
        print(f"FAILED {fault}")
    if faults:
        sys.exit(1)
    print(f"ok     {count} packages are as deny.toml wants them")


if __name__ == "__main__":
    main()

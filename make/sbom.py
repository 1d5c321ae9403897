#!/usr/bin/env python3
"""Prints what phicache's libraries contain, as a bill of materials in CycloneDX's JSON: sbom.py TARGET [GCC]

TARGET is Rust's name of the platform. The bill lists the crates that are linked (not those that only run during the
build), Rust's standard library, and libgcc, if its version is given. The same sources and compilers give the same
bytes.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
CARGO = os.environ.get("CARGO") or "cargo"
RUSTC = os.environ.get("RUSTC") or "rustc"


def answer(*command):
    return subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def linked(target):
    """The names and versions of the crates that are linked: normal dependencies, but no procedural macros."""
    lines = answer(CARGO, "tree", "--locked", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none",
                   "--format", "{p}").splitlines()
    return {"@".join(re.match(r"(\S+) v(\S+)", line).groups()) for line in lines}


def component(name, version, license, **more):
    return {"type": "library", "bom-ref": f"{name}@{version}", "name": name, "version": version,
            "licenses": [{"expression": license.replace("/", " OR ")}], **more}


def bill(target, gcc):
    metadata = json.loads(answer(CARGO, "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"))
    lock = tomllib.loads((TOP / "Cargo.lock").read_text())
    sums = {f"{package['name']}@{package['version']}": package.get("checksum") for package in lock["package"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    names = {key: f"{package['name']}@{package['version']}" for key, package in packages.items()}
    crates = linked(target)
    components, graph, root = [], [], metadata["resolve"]["root"]
    for node in sorted(metadata["resolve"]["nodes"], key=lambda node: names[node["id"]]):
        package, name = packages[node["id"]], names[node["id"]]
        if name not in crates:
            continue
        graph.append({"ref": name, "dependsOn": sorted({names[key] for key in node["dependencies"]} & crates)})
        part = component(package["name"], package["version"], package["license"], purl=f"pkg:cargo/{name}")
        if node["id"] == root:
            about = part
        else:
            components.append({**part, "hashes": [{"alg": "SHA-256", "content": sums[name]}]})
    [release] = re.findall(r"^release: (\S+)", answer(RUSTC, "-vV"), re.M)
    runtimes = [component("rust-std", release, "MIT OR Apache-2.0", description="Rust's standard library")]
    if gcc:
        runtimes.append(component("libgcc", gcc, "GPL-3.0-or-later WITH GCC-exception-3.1",
                                  description="the unwinder, in the shared library only"))
    components += runtimes
    [of_root] = [entry for entry in graph if entry["ref"] == names[root]]
    of_root["dependsOn"] += [runtime["bom-ref"] for runtime in runtimes]
    graph += [{"ref": runtime["bom-ref"], "dependsOn": []} for runtime in runtimes]
    parts = {"metadata": {"component": about, "properties": [{"name": "target", "value": target}]},
             "components": components, "dependencies": graph}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "serialNumber": f"urn:uuid:{uuid.UUID(digest[:32], version=4)}", **parts}


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(json.dumps(bill(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None), indent=1))


if __name__ == "__main__":
    main()

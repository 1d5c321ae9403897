#!/usr/bin/env python3
"""Builds phicache and prints the path of the C header that build.rs wrote: generated_header.py CARGO"""

import json
import subprocess
import sys
from pathlib import Path

build = subprocess.run([sys.argv[1], "build", "--message-format=json-render-diagnostics"], stdout=subprocess.PIPE,
                       text=True)
if build.returncode != 0:
    sys.exit("cargo could not build phicache; its messages are above.")
messages = [json.loads(line) for line in build.stdout.splitlines()]
# Dependencies have build scripts too; ours is the one in this folder.
package = {message["package_id"] for message in messages
           if message["reason"] == "compiler-artifact" and message["target"]["name"] == "build-script-build"
           and Path(message["manifest_path"]) == Path("Cargo.toml").resolve()}
for message in messages:
    if message["reason"] == "build-script-executed" and message["package_id"] in package:
        header = Path(message["out_dir"]) / "phicache.h"
        if header.exists():
            print(header)
            sys.exit()
sys.exit("build.rs wrote no phicache.h")

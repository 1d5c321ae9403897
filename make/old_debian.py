"""Fetches the C library, libgcc and libstdc++ of Debian 11 into build/, to link and run programs for older systems.

This machine's linker, with the libraries of that release, makes programs and libraries that run there and on
anything newer: no function comes from a later glibc, and libgcc's unwinder is as it was before it used a function of
glibc 2.35. A build runs nothing of the release, so other architectures work the same way.
"""

import os
import shutil

import debian

RELEASE, GCC = "bullseye", "10"
DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
LIBRARIES = ("libc6", "libc6-dev", "linux-libc-dev", f"libgcc-{GCC}-dev", "libgcc-s1", "libstdc++6",
             f"libstdc++-{GCC}-dev")
PYTHON = ("python3.9-minimal", "libpython3.9-minimal", "libpython3.9-stdlib", "libffi7", "libexpat1", "zlib1g")


def make_links_relative(tree):
    """An absolute link would lead to this machine's library."""
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            path = os.path.join(folder, name)
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                target = os.path.relpath(f"{tree}{os.readlink(path)}", folder)
                os.unlink(path)
                os.symlink(target, path)


def prepare(tree):
    """Makes the unpacked libraries usable by this machine's compiler, which has its own intrinsics."""
    make_links_relative(tree)
    for headers in tree.glob("usr/lib/gcc/*/*/include"):
        shutil.rmtree(headers)


class OldDebian:
    """The unpacked libraries for an architecture, such as x86_64."""
    def __init__(self, build, architecture):
        self.architecture, self.triplet = architecture, f"{architecture}-linux-gnu"
        self.tree = build / "tools" / f"debian-11-{architecture}"
        self.gcc = self.tree / "usr/lib/gcc" / self.triplet / GCC
        self.loader_path = f"{self.tree}/lib/{self.triplet}:{self.tree}/usr/lib/{self.triplet}"

    def fetch(self):
        """Whether the libraries are there; if not, a message says why."""
        return debian.fetch(LIBRARIES, self.tree, "to link for older systems", release=RELEASE, alone=True,
                            architecture=DEBIAN_NAMES[self.architecture], finish=prepare)

    def fetch_python(self):
        """The Python of that release, or None."""
        folder = self.tree.with_name(f"debian-11-python-{self.architecture}")
        fetched = debian.fetch(PYTHON, folder, "to load the library on older systems", release=RELEASE, alone=True,
                               architecture=DEBIAN_NAMES[self.architecture], finish=make_links_relative)
        return folder if fetched else None

    def compiler_flags(self):
        """Flags with which this machine's gcc compiles C for that release and links with its libraries."""
        return [f"--sysroot={self.tree}", f"-B{self.gcc}", f"-B{self.tree}/usr/lib/{self.triplet}",
                f"-B{self.tree}/lib/{self.triplet}",
                "-idirafter", f"{self.tree}/usr/include/{self.triplet}"]

    def cxx_flags(self):
        """The same for C++."""
        headers = self.tree / "usr/include/c++" / GCC
        return ["-nostdinc++", "-isystem", str(headers), "-isystem",
                f"{self.tree}/usr/include/{self.triplet}/c++/{GCC}", *self.compiler_flags()]

    def loader(self, *more):
        """The command that starts a program with the libraries of that release, and those of the folders `more`."""
        [loader] = (self.tree / "lib" / self.triplet).glob("ld-linux-*.so.?")
        return [str(loader), "--library-path", ":".join([self.loader_path, *map(str, more)])]

"""Installs Tieline, moves it, and builds programs outside the tree against it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import python_test  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
COMPONENTS = os.environ.get("TIELINE_COMPONENTS", "memory").split(",")
COMPILER = os.environ.get("TIELINE_CXX", "g++")
FLAGS = os.environ.get("TIELINE_CXX_FLAGS", "-O1 -g1")


def run(*argv, **options):
    """Runs a program; returns its output, and fails with it."""
    done = subprocess.run([str(word) for word in argv], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit code "
                             f"{done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def install(shared, place):
    """Builds and installs one kind, then moves it; returns where it is now.

    The build folder is kept beside the tree under test's: with the same flags,
    the compile cache has most of it.
    """
    kind = "shared" if shared else "static"
    build = python_test.build_dir() / "package" / kind
    run("cmake", "-S", python_test.ROOT, "-B", build, "-G", "Ninja",
        f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_BUILD_TYPE=Debug",
        f"-DCMAKE_CXX_FLAGS_DEBUG={FLAGS}", "-DTIELINE_BUILD_TESTS=OFF",
        "-DTIELINE_BUILD_TOOLS=OFF", "-DTIELINE_BUILD_EXAMPLES=OFF",
        f"-DBUILD_SHARED_LIBS={'ON' if shared else 'OFF'}")
    run("cmake", "--build", build)
    first = place / f"{kind}-installed"
    run("cmake", "--install", build, "--prefix", first)
    moved = place / f"{kind}-moved"
    first.rename(moved)
    return moved


class Package:
    """The cases of one kind; the classes below say which."""

    shared = False

    def shortDescription(self):
        kind = "shared" if self.shared else "static"
        return f"{kind}: {super().shortDescription()}"

    @classmethod
    def setUpClass(cls):
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="tieline-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.prefix = install(cls.shared, cls.place)
        cls.lib = next(path.parent for path in
                       cls.prefix.glob("lib*/**/pkgconfig"))

    def find(self, components, check=True):
        """Configures and builds the consumer with find_package."""
        build = pathlib.Path(tempfile.mkdtemp(dir=self.place))
        words = ["cmake", "-S", HERE / "consumer", "-B", build, "-G", "Ninja",
                 f"-DCMAKE_PREFIX_PATH={self.prefix}",
                 f"-DCMAKE_CXX_COMPILER={COMPILER}",
                 f"-DCONSUMER_COMPONENTS={';'.join(components)}"]
        if not check:
            return subprocess.run([str(w) for w in words], text=True,
                                  capture_output=True)
        run(*words)
        run("cmake", "--build", build)
        return build / "consumer"

    def test_find_package(self):
        """find_package gives every component's target"""
        program = self.find(COMPONENTS)
        self.assertIn("received hello", run(program))

    def test_find_one_component(self):
        """find_package gives one component alone"""
        program = self.find(["memory"])
        self.assertIn("received hello", run(program))

    def test_missing_component(self):
        """a missing component is named, with those that are there"""
        done = self.find(["memory", "pigeons"], check=False)
        self.assertNotEqual(0, done.returncode)
        said = " ".join(done.stderr.split())
        self.assertIn("component 'pigeons' does not exist. Installed are: ",
                      said)

    def test_pkg_config(self):
        """pkg-config gives what a program needs"""
        env = {**os.environ, "PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}
        names = [f"tieline-{c}" for c in COMPONENTS]
        words = run("pkg-config", "--cflags", "--libs", *names, env=env)
        self.assertIn(str(self.prefix), os.path.normpath(
            re.search(r"-L(\S*)", words)[1]))
        program = self.place / "with-pkg-config"
        run(COMPILER, "-std=c++20", HERE / "consumer" / "main.cc",
            *[f"-DCONSUMER_{c.upper()}" for c in COMPONENTS],
            *words.split(), "-o", program)
        self.assertIn("received hello", run(
            program, env={**env, "LD_LIBRARY_PATH": str(self.lib)}))

    def test_names_no_path_of_the_build(self):
        """the installed tree names no path of the build"""
        faults = [str(path) for path in self.prefix.glob("**/*")
                  if path.suffix in (".cmake", ".pc")
                  and str(python_test.ROOT) in path.read_text()]
        self.assertEqual([], faults)


class Static(Package, unittest.TestCase):
    pass


class Shared(Package, unittest.TestCase):
    shared = True

    def dynamic(self, library):
        return run("readelf", "-dW", library)

    def test_soname(self):
        """the shared libraries have a SONAME"""
        for library in self.lib.glob("libtieline*.so"):
            self.assertRegex(self.dynamic(library),
                             rf"SONAME.*{library.name}\.\d+\.\d+\]")

    def test_exports_only_tieline(self):
        """the shared libraries export only Tieline's names"""
        for library in self.lib.glob("libtieline*.so"):
            names = run("nm", "-DC", "--defined-only", library).splitlines()
            self.assertTrue(names, library)
            foreign = [n for n in names if "tieline::" not in n
                       and "@@" not in n and " A " not in n]
            self.assertEqual([], foreign[:5], library.name)


if __name__ == "__main__":
    python_test.main()

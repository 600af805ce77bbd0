"""A fresh Debian 12: scripts/demo, then scripts/test, both exit 0.

Makes a minimal Debian 12 in a folder with debootstrap, clones the repository
into it, and runs both scripts there, as root, in namespaces of their own. Of
this machine it gets the network's settings alone: resolver, package sources
and trusted certificates. Needs root.
"""

import os
import pathlib
import re
import shutil
import subprocess
import time

import accept
import results

SUITE = "bookworm"
MIRROR = os.environ.get("TIELINE_DEBIAN_MIRROR", "http://deb.debian.org/debian")
SECONDS = 3 * 3600
NOT_IN_CI = "it runs scripts/test, which CI runs anyway"


def debootstrap(ctx, target):
    if not shutil.which("debootstrap"):
        ctx.run(["apt-get", "install", "--yes", "--no-install-recommends",
                 "debootstrap"])
    ctx.run(["debootstrap", "--variant=minbase",
             "--include=ca-certificates,git", SUITE, target, MIRROR])


def copy_network_settings(ctx, target):
    """The resolver, proxies and trusted certificates of this machine."""
    shutil.copy("/etc/resolv.conf", target / "etc/resolv.conf")
    shutil.copy("/etc/hosts", target / "etc/hosts")
    (target / "etc/apt/sources.list").write_text(
        f"deb {MIRROR} {SUITE} main\n"
        f"deb {MIRROR} {SUITE}-updates main\n"
        f"deb {MIRROR}-security {SUITE}-security main\n")
    for path in pathlib.Path("/etc/apt/apt.conf.d").glob("*"):
        if re.search(r"Acquire::\S*[Pp]roxy", path.read_text()):
            shutil.copy(path, target / "etc/apt/apt.conf.d")
    own = pathlib.Path("/usr/local/share/ca-certificates")
    place = target / "usr/local/share/ca-certificates"
    place.mkdir(parents=True, exist_ok=True)
    for path in own.glob("**/*.crt"):
        shutil.copy(path, place)
    ctx.run(["chroot", target, "update-ca-certificates"])
    settings = pathlib.Path.home() / ".m2" / "settings.xml"
    if settings.exists():
        (target / "root/.m2").mkdir(exist_ok=True)
        shutil.copy(settings, target / "root/.m2")


def clone(ctx, target):
    """The committed tree, with its history, as a user would clone it."""
    bundle = ctx.temp / "tieline.bundle"
    ctx.run(["git", "bundle", "create", bundle, "HEAD"])
    ctx.run(["git", "clone", "--quiet", bundle, target / "srv/tieline"])
    bundle.unlink()


def inside(ctx, target, command):
    """Runs a command in the fresh machine; (exit code, seconds, output)."""
    start = time.monotonic()
    script = ("mount -t proc proc /proc && mount -t tmpfs tmpfs /dev/shm && "
              "cd /srv/tieline && exec " + command)
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child",
         "chroot", str(target), "/usr/bin/env", "-i", "HOME=/root",
         "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
         "TERM=dumb", *proxies(), "/bin/sh", "-c", script],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", timeout=SECONDS)
    with ctx.log.open("a") as log:
        log.write(f"\n$ (fresh machine) {command}\n{done.stdout}")
    return done.returncode, round(time.monotonic() - start), done.stdout


def proxies():
    return [f"{name}={value}" for name, value in os.environ.items()
            if name.lower() in ("http_proxy", "https_proxy", "no_proxy")]


def run(ctx):
    if os.getuid() != 0:
        return accept.Result(False, {}, ["a chroot needs root: run as root"])
    target = ctx.temp / "root"
    ctx.say("making a fresh Debian 12")
    debootstrap(ctx, target)
    copy_network_settings(ctx, target)
    clone(ctx, target)
    figures, notes = {}, []

    ctx.say("scripts/demo")
    code, seconds, output = inside(ctx, target, "scripts/demo")
    demo_ok = code == 0
    figures["demo"] = f"exit code {code} in {seconds} s"
    lost = re.findall(r"\blost (\d+)\b", output)
    figures["demo lost"] = int(lost[-1]) if lost else "not said"
    demo_ok = demo_ok and figures["demo lost"] == 0
    if code:
        notes.append("demo: " + " | ".join(output.splitlines()[-5:]))

    words = " --fast" if ctx.short else ""
    ctx.say(f"scripts/test{words}")
    code, seconds, output = inside(ctx, target, "scripts/test" + words)
    tally = results.parse_tally(output)
    figures["test"] = f"exit code {code} in {seconds} s: {tally}"
    if code:
        notes += [f"test: {line}" for line in output.splitlines()
                  if line.startswith("FAILED")]
    return accept.Result(demo_ok and code == 0 and tally is not None, figures,
                         notes)


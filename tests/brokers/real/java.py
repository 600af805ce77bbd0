"""The Java command line shared by the brokers that run on it."""

import os
import shutil

from .errors import BrokerError

_TUNES = {
    "test": ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC",
             "-XX:TieredStopAtLevel=1", "-XX:CICompilerCount=1"],
    "bench": ["-Xms1g", "-Xmx1g", "-XX:+UseParallelGC",
              "-XX:+AlwaysPreTouch"],
}


def command(tune, classpath, main, args):
    if not shutil.which("java"):
        raise BrokerError("java is not installed: run scripts/install")
    return ["java", *_TUNES[tune], "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp", os.pathsep.join(map(str, classpath)), main, *args]


def properties(path, values):
    """Writes a Java properties file that only its owner may read."""
    def quoted(text):
        return str(text).replace("\\", "\\\\").replace("\n", "\\n")

    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600),
              "w", encoding="utf-8") as out:
        for key, value in values.items():
            out.write(f"{key}={quoted(value)}\n")

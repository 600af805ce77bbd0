"""A throw-away certificate authority for the TLS listeners of one broker."""

import os
import pathlib
import subprocess

from .errors import BrokerError

_LOCAL = "subjectAltName=DNS:localhost,IP:127.0.0.1"
_OTHER = "subjectAltName=DNS:elsewhere.example"
_EXPIRED = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"]

# What a server may present; all but the first make a careful client refuse.
SERVER_CERTIFICATES = ("good", "expired", "untrusted", "wrong-host")


def _openssl(*args, cwd):
    done = subprocess.run(["openssl", *args], cwd=cwd, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise BrokerError(
            f"openssl {args[0]} failed: {done.stderr.strip().splitlines()[-1]}")


def _authority(directory, name):
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
             "-subj", f"/CN=Tieline test {name}", "-keyout", f"{name}.key",
             "-out", f"{name}.pem", cwd=directory)


def _certificate(directory, name, authority, common_name, extension,
                 validity=("-days", "3650")):
    (directory / f"{name}.ext").write_text(extension + "\n", encoding="utf-8")
    (directory / f"{name}.index").touch()
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", f"/CN={common_name}", "-keyout", f"{name}.key",
             "-out", f"{name}.csr", cwd=directory)
    config = directory / f"{name}.cnf"
    config.write_text(
        "[ca]\ndefault_ca=it\n[it]\npolicy=any\ndefault_md=sha256\n"
        f"unique_subject=no\ndatabase={name}.index\nnew_certs_dir=.\n"
        "rand_serial=yes\n[any]\ncommonName=supplied\n", encoding="utf-8")
    _openssl("ca", "-batch", "-notext", "-config", config.name,
             "-cert", f"{authority}.pem", "-keyfile", f"{authority}.key",
             "-in", f"{name}.csr", "-out", f"{name}.pem",
             "-extfile", f"{name}.ext", *validity, cwd=directory)
    # Java wants key and certificate in one file.
    both = (directory / f"{name}.key").read_bytes()
    both += (directory / f"{name}.pem").read_bytes()
    bundle = directory / f"{name}.bundle.pem"
    bundle.write_bytes(both)
    os.chmod(bundle, 0o600)


def make(directory, client_name):
    """Makes the authority "ca", the server certificates, a client certificate
    for client_name, and their untrusted and expired counterparts. Returns
    paths by name; each certificate NAME.pem has its NAME.key."""
    directory = pathlib.Path(directory)
    directory.mkdir(mode=0o700, parents=True)
    _authority(directory, "ca")
    _authority(directory, "untrusted-ca")
    _certificate(directory, "good", "ca", "localhost", _LOCAL)
    _certificate(directory, "expired", "ca", "localhost", _LOCAL, _EXPIRED)
    _certificate(directory, "untrusted", "untrusted-ca", "localhost", _LOCAL)
    _certificate(directory, "wrong-host", "ca", "elsewhere.example", _OTHER)
    usage = "extendedKeyUsage=clientAuth"
    _certificate(directory, "client", "ca", client_name, usage)
    _certificate(directory, "expired-client", "ca", client_name, usage,
                 _EXPIRED)
    _certificate(directory, "untrusted-client", "untrusted-ca", client_name,
                 usage)
    for leftover in directory.iterdir():
        if leftover.suffix not in (".pem", ".key") or (
                leftover.stem.isalnum() and len(leftover.stem) == 40):
            leftover.unlink()
    return describe(directory)


def describe(directory):
    """What a client needs, by name."""
    directory = pathlib.Path(directory)
    files = {"ca": "ca.pem", "untrusted_ca": "untrusted-ca.pem"}
    for name in ("client", "expired-client", "untrusted-client"):
        key = name.replace("-", "_")
        files[f"{key}_cert"] = f"{name}.pem"
        files[f"{key}_key"] = f"{name}.key"
    return {key: str(directory / name) for key, name in files.items()}

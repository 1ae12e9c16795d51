"""Writes archives of models, good ones and attacks, into a folder: all, or those that are named."""

import gzip
import io
import os
import struct
import sys
import tarfile

FOLDER, *WANTED = sys.argv[1:]
MODEL = b'{"value": 7}'


def member(archive, name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(content))


def write(name, build, compress="gz", format=tarfile.GNU_FORMAT):
    if WANTED and name not in WANTED:
        return
    with tarfile.open(os.path.join(FOLDER, name + ".tar.gz"), "w:" + compress, format=format) as archive:
        member(archive, "model.json", MODEL)
        build(archive)


def link(target, name="link", kind=tarfile.SYMTYPE):
    return lambda archive: member(archive, name, type=kind, linkname=target)


def several(*builds):
    return lambda archive: [build(archive) for build in builds]


def file(name, content=b"x", **fields):
    return lambda archive: member(archive, name, content, **fields)


LONG = "long/" + "/".join("x" * 50 for _ in range(6))
GOOD = several(
    file("./code/", type=tarfile.DIRTYPE),
    file("./code/run.sh", b"#!/bin/sh", mode=0o4755),
    file("code/inference.py", b"old"),
    file("code/inference.py", b"new"),
    file("no-access", b"still read", mode=0),
    file(LONG, b"deep"),
    link("blobs/weights", "weights"),
    link("../weights", "code/again"),
    file("blobs/weights", b"1234"),
    link("blobs/weights", "hard", tarfile.LNKTYPE),
)
write("good", GOOD)
write("good-pax", GOOD, format=tarfile.PAX_FORMAT)

write("dot-dot", file("../evil"))
write("dot-dot-inside", file("code/../../evil"))
write("absolute", file("/tmp/evil"))
write("absolute-link", link("/etc/passwd"))
write("link-out", link("../../secret"))
write("link-to-folder-out", several(link("..", "out"), file("out/evil")))
write("link-through-links", several(file("a/b/c/d"), link("../../..", "a/b/c/root"), link("a/b/c/root/..", "above")))
write("link-replaced", several(link("..", "out"), file("out", b"x")))
write("link-twice", several(link("model.json", "two"), link("model.json", "two")))
write("dangling", link("nowhere"))
write("hard-link-out", link("../../secret", kind=tarfile.LNKTYPE))
write("hard-link-absolute", link("/etc/passwd", kind=tarfile.LNKTYPE))
write("hard-link-to-link", several(link("../../secret", "soft"), link("soft", "hard", tarfile.LNKTYPE)))
write("device", file("null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3))
write("pipe", file("pipe", b"", type=tarfile.FIFOTYPE))
write("file-as-folder", several(file("a"), file("a/b")))
write("header", lambda archive: member(archive, "x", pax_headers={"comment": "0" * (8 << 20)}), format=tarfile.PAX_FORMAT)
write("empty-name", lambda archive: member(archive, "."))
write("plain", lambda archive: None, compress="")


def claims(size):
    """A member that says it has so many bytes."""
    info = tarfile.TarInfo("claims")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def raw(name, content):
    with open(os.path.join(FOLDER, name + ".tar.gz"), "wb") as file:
        file.write(content)


raw("too-large", gzip.compress(claims(1 << 40)))
raw("short", gzip.compress(claims(1 << 20) + b"x" * 1000))
# GNU sparse: 2^40 bytes of which none is there.
sparse = bytearray(claims(0))
sparse[156] = ord("S")
huge = b"\x80" + (1 << 40).to_bytes(11, "big")
sparse[386:410] = huge + b"00000000000\0"
sparse[483:495] = huge
sparse[148:156] = b"        "
sparse[148:156] = b"%06o\0 " % sum(sparse)
raw("sparse", gzip.compress(bytes(sparse) + bytes(1024)))
raw("zeros-behind", gzip.compress(bytes(64 << 20), 9))
raw("not-gzip", b"PK\x03\x04 this is a zip")
raw("empty", b"")
raw("text", gzip.compress(b"this is no tar archive" * 100))
good = open(os.path.join(FOLDER, "good.tar.gz"), "rb").read()
raw("cut", good[: len(good) // 2])
raw("cut-at-the-end", good[:-6])
raw("wrong-checksum", good[:-8] + struct.pack("<I", 1) + good[-4:])

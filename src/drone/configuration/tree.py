# What a tree holds, told alike on the driver and on a drone: a record for each file, directory and link, sorted by path.
# Of configuration the content counts; of repositories, which are large, size and time of modification do, as with rsync.
#   d MODE PATH NUL    f MODE SIZE NANOSECONDS PATH NUL    c MODE SIZE SHA256 PATH NUL    l PATH NUL TARGET NUL
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time


class Refused(Exception):
    pass


def walk(top, records, path, content=False, follow=False, wanted=None):
    waiting = [(top, path, ())]
    while waiting:
        directory, shown, above = waiting.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                path = shown + b"/" + entry.name
                if wanted is not None and not wanted(path, entry):
                    continue
                try:
                    status = entry.stat(follow_symlinks=follow)
                except FileNotFoundError:
                    # A link that leads nowhere, or something that has just gone.
                    continue
                mode = status.st_mode
                if stat.S_ISREG(mode):
                    if content:
                        mark = b"c %o %d %s %s\0" % (mode & 0o777, status.st_size, digest_of(entry.path), path)
                    else:
                        mark = b"f %o %d %d %s\0" % (mode & 0o777, status.st_size, status.st_mtime_ns, path)
                    records.append((path, mark))
                elif stat.S_ISDIR(mode):
                    same = (status.st_dev, status.st_ino)
                    if same in above:
                        raise Refused("%s leads to a directory that it lies in" % os.fsdecode(entry.path))
                    records.append((path, b"d %o %s\0" % (mode & 0o777, path)))
                    waiting.append((entry.path, path, above + (same,) if follow else ()))
                elif stat.S_ISLNK(mode):
                    records.append((path, b"l %s\0%s\0" % (path, os.readlink(entry.path))))
                else:
                    raise Refused("%s is neither file, directory nor link" % os.fsdecode(entry.path))


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest().encode()


def joined(records):
    records.sort()
    return b"".join(record for path, record in records)


def write_packed(content, path):
    with open(path + ".new", "wb") as file:
        subprocess.run(["zstd", "-q", "-3", "-c"], input=content, stdout=file, check=True)
    os.rename(path + ".new", path)


def answer(value):
    print("%s answer %s" % (os.environ["mark"], json.dumps(value)), flush=True)


def main(tasks):
    try:
        tasks[os.environ["task"]]()
    except Refused as refusal:
        sys.exit(str(refusal))
    except OSError as error:
        sys.exit("%s: %s" % (error.filename or error.__class__.__name__, error.strerror or error))
    except subprocess.CalledProcessError as error:
        said = error.stderr or b""
        sys.exit("%s ended with status %s: %s" % (error.cmd[0], error.returncode, os.fsdecode(said).strip()[-1000:]))

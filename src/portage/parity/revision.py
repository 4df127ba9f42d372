# Tells which revision of an ebuild repository lies in a directory, as one word:
#   git:COMMIT            a git checkout; with +DIGEST of what was changed in it, or added and not ignored
#   manifest:SHA256       the top-level Manifest of a tree that has one for all of it (GLEP 74), which names its moment
#   content:SHA256        neither of them: all its files, by path and content
# What Portage generates (metadata/md5-cache) and what only says when the tree was fetched (metadata/timestamp*) do not
# count. For a checkout git looks at the times of its files and reads those alone that were changed; the Manifest is one
# file; only the last form reads everything.
import hashlib
import os
import subprocess

GENERATED = (b"metadata/md5-cache", b"metadata/timestamp")
# What may lie in a repository's own directory and is no part of it, unless it is a category.
NO_PART = {b"distfiles", b"packages", b"local", b"lost+found", b".git"}
# A checkout of another user is not dangerous here: no program that its configuration names is run.
GIT = ("git", "--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")


def generated(path):
    return path.startswith(GENERATED)


def git(location, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return subprocess.run(
        GIT + ("-C", location) + arguments,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=True,
    ).stdout


def content_of(path):
    if os.path.islink(path):
        return b"link " + os.fsencode(os.readlink(path))
    if not os.path.isfile(path):
        return b"none"
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.digest()


def digest_of(location, paths):
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path + b"\0" + content_of(os.path.join(os.fsencode(location), path)) + b"\0")
    return digest.hexdigest()


def changed(location):
    tracked = git(location, "diff", "--name-only", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "-z", "HEAD")
    added = git(location, "ls-files", "--others", "--exclude-standard", "-z")
    return {path for path in (tracked + added).split(b"\0") if path and not generated(path)}


def of_git(location):
    commit = git(location, "rev-parse", "--verify", "HEAD^{commit}").decode().strip()
    paths = changed(location)
    return "git:" + commit + ("+" + digest_of(location, paths) if paths else "")


def of_manifest(location):
    with open(os.path.join(location, "Manifest"), "rb") as file:
        text = file.read()
    if not any(line.startswith(b"TIMESTAMP ") for line in text.splitlines()):
        return None
    return "manifest:" + hashlib.sha256(text).hexdigest()


def categories(location):
    try:
        with open(os.path.join(location, "profiles", "categories"), "rb") as file:
            return set(file.read().split())
    except OSError:
        return set()


def of_content(location):
    top = os.fsencode(location)
    no_part = NO_PART - categories(location)
    paths = []
    for directory, below, files in os.walk(top):
        at = os.path.relpath(directory, top)
        at = b"" if at == b"." else at + b"/"
        below[:] = [name for name in below if at + name not in no_part and not generated(at + name)]
        linked = [name for name in below if os.path.islink(os.path.join(directory, name))]
        paths.extend(at + name for name in files + linked if at + name not in no_part and not generated(at + name))
    return "content:" + digest_of(location, paths)


def revision(location):
    if os.path.exists(os.path.join(location, ".git")):
        try:
            return of_git(location)
        except (OSError, subprocess.CalledProcessError):
            pass
    try:
        told = of_manifest(location)
    except OSError:
        told = None
    return told or of_content(location)


# The revisions that were written down beside the repositories of a configuration root: NAME REVISION a line.
def written_down(root):
    try:
        with open(os.path.join(root, "revisions"), encoding="utf-8") as file:
            lines = [line.split() for line in file]
    except OSError:
        return {}
    return {words[0]: words[1] for words in lines if len(words) == 2}

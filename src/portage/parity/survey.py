# Says what the Portage of this host builds with: its profile, its repositories, its settings as Portage resolves them,
# what lies below /etc/portage, the versions of its tools. A module of the probe. Nothing that may be secret is told: no
# keys, no credentials of repositories and binhosts, no value that looks like one.
import hashlib
import importlib.util
import os
import re
import subprocess

import portage
from portage.package.ebuild._config import special_env_vars as special

ROOT = os.environ.get("PORTAGE_CONFIGROOT") or "/"
CONFIGURATION = os.path.join(ROOT, "etc", "portage")
# Files whose meaning shows elsewhere in the answer, or that may hold secrets, or that say nothing of how to build.
LEFT_OUT = (
    "make.conf", "make.profile", "repos.conf", "binrepos.conf", "gnupg", "profile/make.defaults", "sets", "sets.conf",
    "postsync.d", "repo.postsync.d", "color.map", "mirrors", "modules",
)
SECRET = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL", re.IGNORECASE)
WITH_LOGIN = re.compile(r"://[^/\s]*@")


# Portage passes over hidden files and copies that editors make.
def counts(name):
    return not name.startswith(".") and not name.endswith("~")


def files_below(path):
    if os.path.isfile(path):
        yield path
        return
    for directory, below, files in os.walk(path, followlinks=True):
        below[:] = sorted(name for name in below if counts(name) and name not in ("CVS", "RCS", "SCCS"))
        for name in sorted(files):
            if counts(name) and os.path.isfile(os.path.join(directory, name)):
                yield os.path.join(directory, name)


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        plain = (" ".join(line.split("#", 1)[0].split()) for line in file)
        return [line for line in plain if line]


def digest_of(path):
    with open(path, "rb") as file:
        lines = [line.rstrip() for line in file.read().splitlines()]
    kept = [line for line in lines if line and not line.lstrip().startswith(b"#")]
    return hashlib.sha256(b"\n".join(kept)).hexdigest()


# What makes up one file of lines: the file, or all files of the directory of that name. An entry is told by where it
# lies; below profile/ as well.
def entries():
    for name in sorted(os.listdir(CONFIGURATION)) if os.path.isdir(CONFIGURATION) else ():
        if name == "profile":
            for inner in sorted(os.listdir(os.path.join(CONFIGURATION, name))):
                yield name + "/" + inner
        else:
            yield name


def is_of_lines(entry):
    name = entry.rpartition("/")[2]
    return name.startswith("package.") or entry.startswith("profile/") and not name.endswith("bashrc") or name in (
        "categories", "license_groups",
    )


def configuration_files():
    lines, files = {}, {}
    for entry in entries():
        path = os.path.join(CONFIGURATION, entry)
        if entry in LEFT_OUT or not counts(entry.rpartition("/")[2]) or entry.startswith("make.conf"):
            continue
        for file in files_below(path):
            if is_of_lines(entry):
                lines.setdefault(entry, []).extend(lines_of(file))
            else:
                files[os.path.relpath(file, CONFIGURATION)] = digest_of(file)
    return {entry: kept for entry, kept in lines.items() if kept}, files


def shown(name, value):
    if SECRET.search(name) or WITH_LOGIN.search(value):
        return "sha256:" + hashlib.sha256(value.encode()).hexdigest()[:12]
    return value


# What make.globals, the profile and make.conf set, with the value that comes of it all. The members of USE_EXPAND stand
# in USE as well; they are told once.
def resolved_settings():
    settings = portage.settings
    names = set()
    for part in ("globals", "defaults", "conf"):
        names.update(settings.configdict[part])
    expand = settings.get("USE_EXPAND", "").split()
    prefixes = tuple(name.lower() + "_" for name in expand)
    values = {name: " ".join(str(settings.get(name, "")).split()) for name in names | {"USE"}}
    values["USE"] = " ".join(sorted(flag for flag in values["USE"].split() if not flag.startswith(prefixes)))
    return {name: shown(name, value) for name, value in values.items() if value}, expand


# What Portage keeps from ebuilds, or sets and uses itself.
def own_variables(names):
    own = special.environ_filter | special.environ_whitelist | set(portage.settings.configdict["globals"])
    return sorted(name for name in names if name in own)


def profile():
    path = portage.settings.profile_path
    if not path:
        return None
    path = os.path.realpath(path)
    for repository in portage.settings.repositories:
        below = os.path.join(os.path.realpath(repository.location), "profiles") + "/" if repository.location else None
        if below and path.startswith(below):
            return repository.name + ":" + path[len(below):]
    return path


def repositories():
    here = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location("revision", os.path.join(here, "revision.py"))
    revisions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(revisions)
    believed = revisions.written_down(ROOT) if ROOT != "/" else {}
    inside = os.path.join(os.path.realpath(ROOT), "repos") + "/"
    answer = {}
    for repository in portage.settings.repositories:
        if not repository.location or not os.path.isdir(repository.location):
            continue
        location = os.path.realpath(repository.location)
        told = believed.get(repository.name) if location.startswith(inside) else None
        answer[repository.name] = told or revisions.revision(location)
    return answer


# The eclasses of all repositories, of which the revisions are not told.
def eclasses():
    found = {}
    for repository in portage.settings.repositories:
        directory = os.path.join(repository.location, "eclass") if repository.location else ""
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            if name.endswith(".eclass"):
                with open(os.path.join(directory, name), "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                found["%s/%s" % (repository.name, name[: -len(".eclass")])] = digest
    return found


def said(*command):
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def compiler():
    chosen = portage.settings.get("CC", "").split()
    for command in (chosen, [portage.settings.get("CHOST", "") + "-gcc"], ["gcc"], ["clang"]):
        words = said(*command, "--version") if command else ""
        clang = re.search(r"clang version (\S+)", words)
        if clang:
            return ["clang", clang.group(1)]
        version = said(*command, "-dumpfullversion").strip() if words else ""
        if version:
            return ["gcc", version]
    return None


def libc():
    try:
        words = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (OSError, ValueError):
        words = []
    if len(words) == 2:
        return words
    # musl's loader says who it is with an error.
    try:
        text = subprocess.run(("ldd",), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        version = re.search(rb"Version (\S+)", text.stdout)
        return ["musl", version.group(1).decode()] if version and b"musl" in text.stdout else None
    except OSError:
        return None


def kernel_headers():
    try:
        with open(os.path.join(portage.settings["EPREFIX"] or "/", "usr/include/linux/version.h"), encoding="ascii") as file:
            code = re.search(r"LINUX_VERSION_CODE\s+(\d+)", file.read())
    except (OSError, ValueError):
        return None
    number = int(code.group(1)) if code else 0
    return ["linux", "%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255)] if code else None


def survey(with_revisions):
    settings, expand = resolved_settings()
    lines, files = configuration_files()
    tools = {
        "portage": ["portage", portage.VERSION],
        "compiler": compiler(),
        "libc": libc(),
        "kernel headers": kernel_headers(),
    }
    return {
        "profile": profile(),
        "repositories": repositories() if with_revisions else {},
        "eclasses": {} if with_revisions else eclasses(),
        "settings": settings,
        "own": own_variables(settings),
        "expand": expand,
        "lines": lines,
        "files": files,
        "tools": {tool: told for tool, told in tools.items() if told},
    }

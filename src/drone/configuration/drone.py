# On a drone: what configuration roots of a driver lie here, and how a new one comes to be.
import grp

ROOT = "%s/config/%s" % (os.environ["workdir"], os.environ["driver"])
NAME = re.compile(r"[0-9a-f]{32}\Z")
# A controller that builds with a revision touches its file `used` now and then: within this time (seconds) it may give a
# job to it.
IN_USE = 600
# Of the drone's own settings these go along: where its files lie, how it reaches the network, how it treats its owner's
# other work, what its kernel can do, and how it signs. None of them changes what is built.
HOST_SETTINGS = """
    DISTDIR PORTAGE_RO_DISTDIRS CCACHE_DIR SCCACHE_DIR GENTOO_MIRRORS FETCHCOMMAND RESUMECOMMAND FETCHCOMMAND_SSH
    RESUMECOMMAND_SSH FETCHCOMMAND_SFTP RESUMECOMMAND_SFTP http_proxy https_proxy ftp_proxy no_proxy RSYNC_PROXY
    PORTAGE_NICENESS PORTAGE_IONICE_COMMAND PORTAGE_SCHEDULING_POLICY PORTAGE_SCHEDULING_PRIORITY PORTAGE_USERNAME
    PORTAGE_GRPNAME BINPKG_GPG_SIGNING_BASE_COMMAND BINPKG_GPG_SIGNING_DIGEST BINPKG_GPG_SIGNING_GPG_HOME
    BINPKG_GPG_SIGNING_KEY
""".split()
HOST_FEATURES = """
    binpkg-signing ccache cgroup distcc gpg-keepalive icecream ipc-sandbox mount-sandbox network-sandbox
    network-sandbox-proxy pid-sandbox sandbox userfetch userpriv usersandbox
""".split()


def own_settings():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PORTAGE_")}
    try:
        said = subprocess.run(
            ["portageq", "envvar"] + HOST_SETTINGS + ["FEATURES"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise Refused("there is no portageq on PATH (%s)" % os.environ.get("PATH", ""))
    # A line each, as they are; with -v they would be quoted, by each version of Portage in its own way.
    values = os.fsdecode(said.stdout).split("\n")[:-1]
    if values and len(values) != len(HOST_SETTINGS) + 1:
        raise Refused("portageq envvar gives %d lines for %d settings: one of %s has a line end in it"
                      % (len(values), len(HOST_SETTINGS) + 1, " ".join(HOST_SETTINGS)))
    settings = {key: value for key, value in zip(HOST_SETTINGS + ["FEATURES"], values) if value.strip()}
    features = settings.pop("FEATURES", "").split()
    return settings, [name if name in features else "-" + name for name in HOST_FEATURES] if features else []


def lock():
    os.makedirs(ROOT + "/incoming", exist_ok=True)
    descriptor = os.open(ROOT + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def current():
    try:
        return os.readlink(ROOT + "/current")
    except FileNotFoundError:
        return None


# Complete revisions, the one that was made last first.
def revisions():
    found = [name for name in os.listdir(ROOT) if NAME.match(name)]
    return sorted(found, key=lambda name: -modified(name + "/listing"))


def modified(name):
    try:
        return os.stat(os.path.join(ROOT, name)).st_mtime
    except FileNotFoundError:
        return 0


def in_use():
    used = {name for name in revisions() if modified(name + "/used") > time.time() - IN_USE}
    jobs = os.environ["workdir"] + "/jobs"
    for job in os.listdir(jobs) if os.path.isdir(jobs) else ():
        try:
            with open("%s/%s/settings" % (jobs, job), encoding="utf-8") as file:
                used.update(re.findall(r"^brought='?[^/'\n]*/([0-9a-f]{32})'?$", file.read(), re.MULTILINE))
        except OSError:
            pass
    return used


def look():
    held = lock()
    settings, features = own_settings()
    free = [name for name in revisions() if name != current() and name not in in_use()]
    answer({"current": current(), "free": free, "settings": settings, "features": features})
    os.close(held)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def discard(name):
    # Portage keeps what it has read of a repository by that one's place.
    shutil.rmtree("/var/cache/edb/dep%s/%s" % (os.path.realpath(ROOT), name), ignore_errors=True)


def prune(*kept):
    used = in_use() | set(kept) | {current()}
    for name in revisions():
        if name not in used:
            os.rename(os.path.join(ROOT, name), "%s/.old-%s" % (ROOT, name))
            discard(name)
    for name in os.listdir(ROOT):
        if name.startswith((".old-", ".new-")):
            remove(os.path.join(ROOT, name))
    # What a controller that was killed meanwhile has left.
    for name in os.listdir(ROOT + "/incoming"):
        if modified("incoming/" + name) < time.time() - 86400:
            remove(os.path.join(ROOT, "incoming", name))


def records_of(top):
    records = []
    hidden = {b"etc/portage/repos.conf"}
    walk(top + b"/etc", records, b"etc", content=True, wanted=lambda path, entry: path not in hidden)
    walk(top + b"/repos", records, b"repos")
    status = os.stat(top + b"/revisions")
    mark = (status.st_mode & 0o777, status.st_size, digest_of(top + b"/revisions"))
    records.append((b"revisions", b"c %o %d %s revisions\0" % mark))
    return records


def switch_to(revision):
    new = ROOT + "/.current"
    remove(new)
    os.symlink(revision, new)
    os.rename(new, ROOT + "/current")
    descriptor = os.open(ROOT, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


# A revision that nothing uses any more becomes the new one by what differs, which costs little however large it is; else
# a tree of hard links to the current one does.
def begin(new, base):
    remove(new)
    if base is None:
        os.makedirs(new + "/etc")
        os.makedirs(new + "/repos")
    elif base != current() and base not in in_use():
        os.rename(os.path.join(ROOT, base), new)
        discard(base)
    else:
        subprocess.run(["cp", "-al", os.path.join(ROOT, base), new], stderr=subprocess.PIPE, check=True)


def change(new, patch):
    for path in patch["remove"]:
        remove(os.path.join(new, path))
    owner = os.geteuid() == 0
    group = -1
    if owner:
        try:
            group = grp.getgrnam("portage").gr_gid
        except KeyError:
            pass
    for path, mode in patch["directories"]:
        directory = os.path.join(new, path)
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, mode)
        if owner:
            os.chown(directory, 0, group)
    for path, target in patch["links"]:
        os.symlink(target, os.path.join(new, path))
    for archive in patch["archives"]:
        unpack(ROOT + "/incoming/" + archive, new)
    write(new + "/etc/portage/repos.conf", patch["repos_conf"].replace("@ROOT@", ROOT + "/" + patch["revision"]))


# What a controller has built with is of no more use to it: whatever nothing else uses goes, in its own time.
def leave():
    answer({})
    if os.fork() == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        held = lock()
        remove(os.path.join(ROOT, os.environ["revision"], "used"))
        prune(next((name for name in revisions() if name != current()), None))
        os.close(held)


# What a drone has for itself is its owner's: only on demand it becomes the driver's. Where its repositories lie, and whom
# its owner trusts, stays as it is.
SYSTEM = "/etc/portage"
BEFORE = "/etc/portage.before-swarm"
OWNERS = ("repos.conf", "binrepos.conf", "gnupg")


def system():
    held = lock()
    revision = current()
    if revision is None:
        raise Refused("nothing of the driver's is here yet")
    refuse_special()
    new = "/etc/.portage.swarm"
    remove(new)
    shutil.copytree("%s/%s/etc/portage" % (ROOT, revision), new, symlinks=True)
    os.chmod(new, 0o755)
    for name in os.listdir(SYSTEM):
        if name.startswith(OWNERS):
            remove(os.path.join(new, name))
            copy = shutil.copytree if os.path.isdir(os.path.join(SYSTEM, name)) else shutil.copy2
            copy(os.path.join(SYSTEM, name), os.path.join(new, name))
    if not any(name.startswith("repos.conf") for name in os.listdir(SYSTEM)):
        remove(new + "/repos.conf")
    place_profile(new)
    exchange(new, SYSTEM)
    # What was there before the first time is what its owner gets back.
    if os.path.lexists(BEFORE):
        remove(new)
    else:
        os.rename(new, BEFORE)
    subprocess.run(["sync", "-f", "/etc"], stderr=subprocess.PIPE, check=True)
    answer({"before": BEFORE})
    os.close(held)


def refuse_special():
    if os.path.islink(SYSTEM) or os.path.ismount(SYSTEM):
        raise Refused("%s is a link or a mount point, which cannot be replaced in one step" % SYSTEM)


# The profile as it lies in the drone's own repository.
def place_profile(new):
    profile = new + "/make.profile"
    if not os.path.islink(profile):
        return
    _, _, _, name, path = os.readlink(profile).split("/", 4)
    said = subprocess.run(
        ["portageq", "get_repo_path", "/", name],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    location = os.fsdecode(said.stdout).strip()
    target = location + "/" + path
    if not location or not os.path.isdir(target):
        raise Refused("the drone's own repository %s has no %s: bring it up to date there first" % (name, path))
    os.unlink(profile)
    os.symlink(target, profile)


# In one step where the kernel and the C library can; else the place is empty for a moment.
def exchange(one, other):
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        if renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) == 0:
            return
    except AttributeError:
        pass
    aside = other + ".swarm-aside"
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def undoable():
    if not os.path.isdir(BEFORE):
        raise Refused("nothing is to be undone: there is no %s" % BEFORE)
    refuse_special()
    answer({"before": BEFORE})


def undo():
    held = lock()
    if not os.path.isdir(BEFORE):
        raise Refused("nothing is to be undone: there is no %s" % BEFORE)
    refuse_special()
    exchange(BEFORE, SYSTEM)
    remove(BEFORE)
    subprocess.run(["sync", "-f", "/etc"], stderr=subprocess.PIPE, check=True)
    answer({"before": BEFORE})
    os.close(held)


# Never through a hard link: what was there has been removed, and tar removes before it writes.
def unpack(archive, new):
    with subprocess.Popen(["zstd", "-q", "-d", "-c", archive], stdout=subprocess.PIPE) as unpacker:
        command = ["tar", "--extract", "--file=-", "--directory=" + new, "--preserve-permissions", "--ignore-zeros"]
        subprocess.run(command, stdin=unpacker.stdout, stderr=subprocess.PIPE, check=True)
    if unpacker.returncode != 0:
        remove(archive)
        raise Refused("%s cannot be unpacked; it has been removed, so try again" % archive)


def write(path, text):
    remove(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def apply():
    with open(os.environ["patch"], encoding="utf-8") as file:
        patch = json.load(file)
    held = lock()
    revision, before = patch["revision"], current()
    final = os.path.join(ROOT, revision)
    if not os.path.isdir(final):
        base = patch["base"]
        if base is not None and base not in revisions():
            answer({"state": "gone"})
            return
        new = ROOT + "/.new-" + revision
        begin(new, base)
        change(new, patch)
        listing = joined(records_of(os.fsencode(new)))
        if hashlib.sha256(listing).hexdigest() != patch["digest"]:
            remove(new)
            answer({"state": "other"})
            return
        write_packed(listing, new + "/listing")
        subprocess.run(["sync", "-f", new], stderr=subprocess.PIPE, check=True)
        os.rename(new, final)
    switch_to(revision)
    # One is kept to become the next.
    spare = before if before != revision else next((name for name in revisions() if name != revision), None)
    prune(revision, spare)
    for name in patch["archives"]:
        remove(ROOT + "/incoming/" + name)
    remove(os.environ["patch"])
    answer({"state": "done"})
    os.close(held)


main({"look": look, "apply": apply, "leave": leave, "system": system, "undo": undo, "undoable": undoable})

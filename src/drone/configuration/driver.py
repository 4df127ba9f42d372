# On the driver. What drones are to have of it is first put together out of links, in the form that it has there: whoever
# walks it, or packs it, finds things at once where they will be.
import configparser
import types

# Secrets, hooks of `emerge --sync`, and what is written anew for each drone.
NO_CONFIGURATION = {"binrepos.conf", "gnupg", "make.conf", "make.profile", "postsync.d", "repo.postsync.d", "repos.conf"}
VERSION_CONTROL = {b".git", b".svn", b"CVS", b".hg", b".bzr"}
KEYS = ("priority", "masters", "aliases", "eclass-overrides", "force")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")


# A module of its own, since others use it, too.
revisions = types.ModuleType("revision")
exec(REVISION, revisions.__dict__)


def repositories():
    said = subprocess.run(
        ["portageq", "repos_config", "/"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if said.returncode != 0:
        raise Refused("portageq repos_config /: %s" % os.fsdecode(said.stderr).strip()[-1000:])
    # A location holds no blanks that matter, and a percent sign means nothing there.
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.read_string(os.fsdecode(said.stdout))
    found = []
    for name in parser.sections():
        location = parser[name].get("location", "")
        if not NAME.match(name):
            raise Refused("the repository %s has a name that Portage does not allow" % name)
        if not os.path.isdir(location):
            continue
        settings = {key: " ".join(parser[name][key].split()) for key in KEYS if key in parser[name]}
        found.append({"name": name, "location": os.path.realpath(location), "settings": settings})
    if not found:
        raise Refused("Portage knows of no repository")
    return found, parser.defaults().get("main-repo")


def in_repository(path, found):
    inside = [one for one in found if path == one["location"] or path.startswith(one["location"] + "/")]
    if not inside:
        return None
    one = max(inside, key=lambda one: len(one["location"]))
    return one["name"], os.path.relpath(path, one["location"])


def is_wanted(path, entry):
    name = entry.name
    if name.startswith(b".") or name.endswith(b"~") or name in VERSION_CONTROL:
        return False
    # A home of GnuPG, whatever its name.
    return not os.path.isdir(entry.path + b"/private-keys-v1.d")


class Farm:
    def __init__(self, top):
        self.top = top
        self.found, self.main = repositories()
        self.written = []
        os.makedirs(top + "/etc/portage/make.conf")
        os.mkdir(top + "/repos")
        if not os.path.isdir("/etc/portage"):
            raise Refused("there is no directory /etc/portage")
        for name in os.listdir("/etc/portage"):
            if name not in NO_CONFIGURATION and not name.startswith("binrepos.conf"):
                os.symlink("/etc/portage/" + name, top + "/etc/portage/" + name)
        # Older systems keep it in /etc; where both are there, the later one counts, as Portage has it.
        for place, name in (("/etc/make.conf", "0-old"), ("/etc/portage/make.conf", "1-driver")):
            if os.path.exists(place):
                os.symlink(place, top + "/etc/portage/make.conf/" + name)
        self.profile = self.find_profile()
        for one in self.found:
            os.symlink(one["location"], top + "/repos/" + one["name"])

    def find_profile(self):
        for place in ("/etc/portage/make.profile", "/etc/make.profile"):
            if not os.path.isdir(place):
                continue
            real = os.path.realpath(place)
            inside = in_repository(real, self.found)
            if inside is not None:
                return {"repository": inside[0], "path": inside[1]}
            os.symlink(real, self.top + "/etc/portage/make.profile")
            for directory, _, files in os.walk(real):
                if "parent" in files:
                    self.mend_parent(real, directory)
            return None
        raise Refused("no profile is chosen: /etc/portage/make.profile leads nowhere")

    # Parents that lead into a repository are written as Portage names them wherever that lies.
    def mend_parent(self, top, directory):
        lines = []
        with open(directory + "/parent", encoding="utf-8") as file:
            for line in file.read().splitlines():
                word = line.strip()
                path = os.path.realpath(os.path.join(directory, word))
                if not word or word.startswith("#") or (":" in word and not word.startswith("/")):
                    lines.append(word)
                elif (path + "/").startswith(top + "/") and not word.startswith("/"):
                    lines.append(word)
                else:
                    lines.append(self.parent(directory, word, path))
        shown = "etc/portage/make.profile" + directory[len(top) :] + "/parent"
        self.written.append({"path": shown, "text": "".join(line + "\n" for line in lines)})

    def parent(self, directory, word, path):
        inside = in_repository(path, self.found)
        if inside is None or not inside[1].startswith("profiles/"):
            raise Refused(
                "%s/parent names %s, which is in no repository's profiles: put it into one" % (directory, word)
            )
        return "%s:%s" % (inside[0], inside[1][len("profiles/") :])

    def records(self):
        records = []
        written = {one["path"].encode() for one in self.written}
        wanted = lambda path, entry: path not in written and is_wanted(path, entry)
        walk(os.fsencode(self.top + "/etc"), records, b"etc", content=True, follow=True, wanted=wanted)
        for path, record in records:
            if path.startswith(b"etc/portage/make.conf/") and record.startswith(b"c"):
                self.refuse_source(path)
        for one in self.found:
            shown = os.fsencode("repos/" + one["name"])
            records.append((shown, b"d 755 %s\0" % shown))
            aside = {shown + b"/" + name for name in revisions.NO_PART - revisions.categories(one["location"])}
            wanted = lambda path, entry: entry.name not in VERSION_CONTROL and path not in aside
            walk(os.fsencode(one["location"]), records, shown, wanted=wanted)
        return records

    def refuse_source(self, path):
        place = os.path.realpath(os.fsencode(self.top) + b"/" + path)
        with open(place, "rb") as file:
            for number, line in enumerate(file, 1):
                if re.match(rb"\s*source\s+\S", line):
                    raise Refused(
                        "%s:%d reads another file, which drones have not: make a directory of make.conf and put both "
                        "files into it" % (os.fsdecode(place), number)
                    )


def prepared():
    directory = os.environ["workdir"] + "/sync"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    # What a controller that was killed meanwhile has left.
    for entry in os.scandir(directory):
        if entry.stat(follow_symlinks=False).st_mtime < time.time() - 86400:
            shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
    return directory


def list_driver():
    directory = prepared()
    with tempfile.TemporaryDirectory(dir=directory) as top:
        farm = Farm(top)
        told = {one["name"]: revisions.revision(one["location"]) for one in farm.found}
        listing = joined(farm.records())
    digest = hashlib.sha256(listing).hexdigest()
    if digest != os.environ["known"]:
        write_packed(listing, "%s/%s.listing" % (directory, digest))
    answer(
        {
            "digest": digest,
            "repositories": [
                {"name": one["name"], "settings": one["settings"], "revision": told[one["name"]]}
                for one in farm.found
            ],
            "main": farm.main,
            "profile": farm.profile,
            "written": farm.written,
        }
    )


# Packs the files named in `KEY.wanted`, NUL behind each: first those of configuration, where links are followed.
def pack():
    directory = prepared()
    key = os.environ["key"]
    archive = "%s/%s.archive" % (directory, key)
    if not os.path.exists(archive):
        with open("%s/%s.wanted" % (directory, key), "rb") as file:
            wanted = [path for path in file.read().split(b"\0") if path]
        with tempfile.TemporaryDirectory(dir=directory) as top:
            Farm(top)
            with open(archive + ".new", "wb") as file:
                packer = subprocess.Popen(["zstd", "-q", "-1", "-T0", "-c"], stdin=subprocess.PIPE, stdout=file)
                append(packer.stdin, top, ["--dereference"], [path for path in wanted if path.startswith(b"etc/")])
                append(packer.stdin, top, [], [path for path in wanted if not path.startswith(b"etc/")])
                packer.stdin.close()
                if packer.wait() != 0:
                    raise Refused("zstd ended with status %d" % packer.returncode)
        os.rename(archive + ".new", archive)
    answer({"size": os.stat(archive).st_size})


def append(out, top, options, paths):
    if not paths:
        return
    command = ["tar", "--create", "--file=-", "--directory=" + top, "--format=pax", "--hard-dereference"]
    # The same files make the same archive, so that half of one can be gone on with.
    command += ["--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f", "--owner=root:0", "--group=portage:250", "--no-recursion"]
    command += options + ["--null", "--files-from=-"]
    subprocess.run(command, input=b"\0".join(paths) + b"\0", stdout=out, stderr=subprocess.PIPE, check=True)


def forget():
    directory = prepared()
    for name in os.environ["names"].split():
        path = os.path.join(directory, os.path.basename(name))
        if os.path.isfile(path):
            os.unlink(path)
    answer({})


main({"list": list_driver, "pack": pack, "forget": forget})

# Asks the Portage of this host, in its own Python. The request lies beside this file as request.json, the answer is
# written to answer.json; whatever Portage itself prints goes to standard error. The request is one of
#   {"mode": "plan", "arguments": [EMERGE ARGUMENTS]}        what the resolver would merge, and the edges between
#   {"mode": "identities", "cpvs": [[CPV, REPOSITORY, RECIPE], ...], "resolve": [EMERGE ARGUMENTS]}
#       how this host would build each of these, null where that is by the recipe of this digest; what else the resolver
#       would build for all of them; with "survey": true also what it builds with
#   {"mode": "survey", "revisions": BOOL}                    what this host builds with; with the revisions of repositories
import hashlib
import importlib.util
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
os.dup2(2, 1)
os.environ["NOCOLOR"] = "true"
os.environ["EMERGE_DEFAULT_OPTS"] = ""
os.environ["PORTAGE_TRUST_HELPER"] = ""
os.environ["LC_ALL"] = "C"

import portage
from portage.dbapi.vartree import vardbapi
from portage.output import nocolor

nocolor()
# A look takes no lock on what is installed, as for a user who may not: it would leave a trace, and wait for a merge.
vardbapi.lock = vardbapi.unlock = lambda self: None

COMPILER = ("CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "FFLAGS", "FCFLAGS", "RUSTFLAGS")
KINDS = ("buildtime_slot_op", "buildtime", "runtime_slot_op", "runtime", "runtime_post")
BUILD_KINDS = {"buildtime_slot_op", "buildtime"}
RUN_KINDS = {"runtime_slot_op", "runtime"}
MODULES = {"linux-mod", "linux-mod-r1"}


def compiler_settings(settings):
    return {key: " ".join(settings[key].split()) for key in COMPILER if settings.get(key, "").strip()}


def ebuild_digest(portdb, cpv, repository):
    path = portdb.findname2(cpv, myrepo=repository)[0]
    if not path:
        return ""
    with open(path, "rb") as file:
        return hashlib.md5(file.read()).hexdigest()


class Resolver:
    def __init__(self, arguments):
        from _emerge.depgraph import depgraph

        # Whether packages that cannot be installed together were what an attempt failed by.
        self.blocked = False
        serialize = depgraph._serialize_tasks

        def watched(graph):
            try:
                return serialize(graph)
            finally:
                self.blocked |= bool(graph._dynamic_config._unsatisfied_blockers_for_display)

        depgraph._serialize_tasks = watched
        self.resolve(arguments)
        if self.is_usable() or not self.blocked:
            return
        # The resolver tries other ways out of that, and meanwhile loses the one out of its other troubles, such as
        # world members that nothing satisfies. So it is asked again and told to put up with it.
        first = (self.success, self.graph)
        depgraph._accept_blocker_conflicts = lambda graph: True
        self.resolve(arguments)
        if not self.success or self.has_slot_conflicts():
            self.success, self.graph = first

    def resolve(self, arguments):
        from _emerge.actions import load_emerge_config
        from _emerge.create_depgraph_params import create_depgraph_params
        from _emerge.depgraph import backtrack_depgraph
        from _emerge.main import parse_opts
        from _emerge.stdout_spinner import stdout_spinner

        spinner = stdout_spinner()
        spinner.update = lambda *ignored, **also: True
        action, options, files = parse_opts(arguments)
        config = load_emerge_config(action=action, args=files, opts=options)
        parameters = create_depgraph_params(config.opts, action)
        self.config = config
        self.success, self.graph, self.favorites = backtrack_depgraph(
            config.target_config.settings, config.trees, config.opts, parameters, action, files, spinner
        )

    def answer(self):
        if not self.is_usable():
            self.graph.display_problems()
            return {"resolved": False}
        trees = self.config.target_config.trees
        self.portdb = trees["porttree"].dbapi
        self.settings = portage.config(clone=self.config.target_config.settings)
        digraph = self.graph._dynamic_config.digraph
        tasks = [task for task in self.graph.altlist() if hasattr(task, "operation")]
        merges = [task for task in tasks if task.type_name in ("ebuild", "binary") and task.operation == "merge"]
        place = {package: index for index, package in enumerate(merges)}
        header = {}
        trees["bintree"]._update_pkgindex_header(header)
        # The graph's own display reports missing members of @world, masked installed packages and the like.
        self.graph.display_problems()
        return {
            "resolved": True,
            "packages": [self.describe(package, digraph) for package in merges],
            "edges": [edge for package in merges for edge in self.edges(package, digraph, place)],
            "uninstalls": [str(task.cpv) for task in tasks if task.operation == "uninstall"],
            "conflicts": sorted(self.conflicts(), key=lambda conflict: conflict["packages"]),
            "missing": sorted({str(atom) for argument, atom in self.graph._dynamic_config._missing_args}),
            "header": {key: " ".join(str(value).split()) for key, value in header.items()},
        }

    def is_usable(self):
        return self.success or self.lacks_what_it_is_built_with() or self.is_only_blocked()

    # With --buildpkgonly the resolver is content only where all that is needed is merged; its answer says what is not.
    def lacks_what_it_is_built_with(self):
        return getattr(self.graph._dynamic_config, "_buildpkgonly_deps_unsatisfied", False)

    # Packages that cannot be installed together can each be built.
    def is_only_blocked(self):
        dynamic = self.graph._dynamic_config
        return bool(
            dynamic._unsatisfied_blockers_for_display
            and dynamic._serialized_tasks_cache is not None
            and dynamic._circular_deps_for_display is None
            and not dynamic._unsatisfied_deps_for_display
            and not self.has_slot_conflicts()
            and not self.graph.need_config_change()
        )

    def has_slot_conflicts(self):
        return any(self.graph._dynamic_config._package_tracker.slot_conflicts())

    def conflicts(self):
        from _emerge.Blocker import Blocker

        dynamic = self.graph._dynamic_config
        for blocker in self.graph.altlist():
            if not isinstance(blocker, Blocker) or blocker.satisfied:
                continue
            blocked = dynamic._blocked_pkgs.child_nodes(blocker)
            for package in dynamic._blocker_parents.parent_nodes(blocker):
                for other in blocked:
                    both = (package, other)
                    installed = [str(one.cpv) for one in both if one.operation != "merge"]
                    yield {"packages": [str(one.cpv) for one in both], "installed": installed}

    def describe(self, package, digraph):
        binary = package.type_name == "binary"
        if not binary:
            self.settings.setcpv(package)
        return {
            "cpv": str(package.cpv),
            "slot": "%s/%s" % (package.slot, package.sub_slot),
            "repository": str(package.repo),
            "binary": binary,
            "build_id": getattr(package.cpv, "build_id", None) if binary else None,
            "digest": "" if binary else ebuild_digest(self.portdb, package.cpv, package.repo),
            "use": sorted(flag for flag in package.use.enabled if package.iuse.is_valid_flag(flag)),
            "chost": self.settings.get("CHOST", ""),
            "compiler": {} if binary else compiler_settings(self.settings),
            "linked": sorted(self.linked(package, digraph)),
            "requested": self.requested(package, digraph),
            "live": "live" in package.properties,
            "restricted": not binary and "bindist" in self.settings["PORTAGE_RESTRICT"].split(),
            "module": sorted(self.built_with(package, digraph)) if MODULES & set(package.inherited) else None,
        }

    # The installed packages with which it is built, and what these run with.
    def built_with(self, package, digraph):
        waiting, seen = [package], {package}
        while waiting:
            node = waiting.pop()
            wanted = BUILD_KINDS if node is package else RUN_KINDS
            for child in digraph.child_nodes(node):
                if child not in seen and wanted & self.kinds(digraph, node, child):
                    seen.add(child)
                    waiting.append(child)
        return {str(node.cp) for node in seen if getattr(node, "operation", None) == "nomerge"}

    def linked(self, package, digraph):
        for child in digraph.child_nodes(package):
            if hasattr(child, "sub_slot") and any("slot_op" in kind for kind in self.kinds(digraph, package, child)):
                yield (str(child.cp), "%s/%s" % (child.slot, child.sub_slot))

    def requested(self, package, digraph):
        return any(not hasattr(parent, "cpv") for parent in digraph.parent_nodes(package))

    def kinds(self, digraph, parent, child):
        found = set()
        for priority in digraph.nodes[parent][0].get(child, ()):
            if getattr(priority, "ignored", False):
                continue
            for kind in KINDS:
                if getattr(priority, kind, False):
                    found.add(kind)
        return found

    # What is installed already is not built, but what it needs to run has to be there before: paths that run
    # through installed packages become edges of their own. Each step looks at a node once, so the cost for one
    # package is the part of the graph that it reaches.
    def edges(self, package, digraph, place):
        found = {}
        for child in digraph.child_nodes(package):
            kinds = self.kinds(digraph, package, child)
            if not kinds:
                continue
            for reached in self.planned_behind(child, digraph, place):
                if reached is not package:
                    found.setdefault(place[reached], set()).update(kinds)
        for target, kinds in sorted(found.items()):
            yield [place[package], target, sorted(kinds)]

    def planned_behind(self, start, digraph, place):
        waiting, seen = [start], {start}
        while waiting:
            node = waiting.pop()
            if node in place:
                yield node
                continue
            if getattr(node, "type_name", None) not in ("installed", "ebuild", "binary"):
                continue
            for child in digraph.child_nodes(node):
                kinds = self.kinds(digraph, node, child)
                if child not in seen and RUN_KINDS & kinds:
                    seen.add(child)
                    waiting.append(child)


def identity(portdb, settings, cpv, repository):
    from _emerge.Package import Package
    from _emerge.RootConfig import RootConfig

    try:
        keys = list(Package.metadata_keys)
        values = portdb.aux_get(cpv, keys, myrepo=repository)
    except KeyError:
        return {"trouble": "there is no such ebuild here"}, ()
    metadata = dict(zip(keys, values))
    metadata["repository"] = repository
    root = portage.db[portage.root]
    config = RootConfig(settings, root, None)
    package = Package(
        type_name="ebuild", root_config=config, cpv=cpv, built=False, installed=False, metadata=metadata
    )
    settings.setcpv(package)
    use = settings["PORTAGE_USE"].split()
    masks = portage.getmaskingstatus(package, settings=settings, portdb=portdb)
    return {
        "cpv": cpv,
        "slot": "%s/%s" % (package.slot, package.sub_slot),
        "repository": repository,
        "digest": ebuild_digest(portdb, cpv, repository),
        "use": sorted(flag for flag in use if package.iuse.is_valid_flag(flag)),
        "chost": settings.get("CHOST", ""),
        "compiler": compiler_settings(settings),
        "masked": masks,
    }, package.inherited


# As recipe_digest in the controller makes it of what is planned: drones are many, and mostly agree.
def recipe_digest(package):
    parts = [package[key] for key in ("cpv", "slot", "repository", "digest", "chost")] + package["use"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def is_by(recipe, package):
    return "trouble" not in package and not package["masked"] and recipe_digest(package) == recipe


def identities(wanted):
    portdb = portage.db[portage.root]["porttree"].dbapi
    settings = portage.config(clone=portage.settings)
    answers, eclasses = [], set()
    for cpv, repository, recipe in wanted:
        try:
            package, inherited = identity(portdb, settings, cpv, repository)
        except Exception as trouble:
            answers.append({"trouble": "%s: %s" % (type(trouble).__name__, trouble)})
            continue
        eclasses.update(inherited)
        answers.append(None if is_by(recipe, package) else package)
    return {"identities": answers, "inherited": sorted(eclasses)}


# What cannot be resolved together is asked for again by each job, so no answer is no fault here.
def lacking(arguments, wanted):
    known = {cpv for cpv, repository, recipe in wanted}
    try:
        answer = Resolver(arguments + ["=" + cpv for cpv in known]).answer()
    except portage.exception.PortageException as trouble:
        sys.stderr.write("%s\n" % trouble)
        return []
    return [
        package for package in answer.get("packages", ()) if not package["binary"] and package["cpv"] not in known
    ]


# Only some requests have that module beside this file.
def survey(with_revisions):
    spec = importlib.util.spec_from_file_location("survey", os.path.join(here, "survey.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.survey(with_revisions)


with open(os.path.join(here, "request.json"), encoding="utf-8") as file:
    request = json.load(file)
try:
    if request["mode"] == "plan":
        answer = Resolver(request["arguments"]).answer()
    elif request["mode"] == "survey":
        answer = survey(request["revisions"])
    else:
        answer = {
            **identities(request["cpvs"]),
            "packages": lacking(request["resolve"], request["cpvs"]),
            "survey": survey(False) if request["survey"] else None,
        }
except portage.exception.PackageSetNotFound as missing:
    sys.stderr.write("there is no package set %s here\n" % missing)
    answer = {"resolved": False}
with open(os.path.join(here, "answer.json"), "w", encoding="utf-8") as file:
    json.dump(answer, file)

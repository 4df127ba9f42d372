# Runs probe.py in the Python that emerge itself runs in. Python loads a module named sitecustomize before anything
# else, so emerge is started with one that puts the probe in its place: whatever wrappers, versions and environments
# lie between the name `emerge` and its interpreter, the probe gets just what emerge would have got. Where that is
# switched off (python -E or -I), `python3` has to do.
umask 077
directory=$(mktemp -d "${TMPDIR:-/tmp}/swarm-probe.XXXXXX") || exit 70
trap 'rm -rf "$directory"' EXIT
cat >"$directory/probe.py" <<'SWARM-PROBE'
@PROBE@
SWARM-PROBE
@BESIDE@
cat >"$directory/request.json" <<'SWARM-REQUEST'
@REQUEST@
SWARM-REQUEST
cat >"$directory/sitecustomize.py" <<'SWARM-SITE'
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
os.environ.pop("PYTHONPATH", None)
os.execv(sys.executable, [sys.executable, os.path.join(here, "probe.py")])
SWARM-SITE
# The configuration that a driver has sent here, where it has.
if [ -n "${configuration:-}" ] && [ -d "$configuration/etc/portage" ]; then
	PORTAGE_CONFIGROOT=$(cd "$configuration" && pwd -P) || exit 70
	export PORTAGE_CONFIGROOT
fi
command -v emerge >/dev/null 2>&1 || { echo "there is no emerge on PATH ($PATH)" >&2; exit 69; }
SWARM_PROBE=1 PYTHONPATH=$directory emerge --version </dev/null >"$directory/output" 2>&1
cat "$directory/output" >&2
[ -e "$directory/answer.json" ] || SWARM_PROBE=1 python3 "$directory/probe.py" </dev/null >&2
[ -e "$directory/answer.json" ] || { echo "the probe did not answer" >&2; exit 71; }
echo @MARK@
cat "$directory/answer.json"
echo
echo @MARK@

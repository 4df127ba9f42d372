# Runs Python that is sent along: $task says which part of it is wanted, $workdir and the rest are its arguments. It needs
# nothing but Python itself, which every Portage has.
LC_ALL=C
export LC_ALL mark task workdir
umask 022
python=$(command -v python3 || command -v python) || { echo "there is no python3 on PATH ($PATH)" >&2; exit 69; }
exec "$python" - <<'SWARM-PYTHON'
@PYTHON@
SWARM-PYTHON

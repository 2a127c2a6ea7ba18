# Sourced by the other scripts: finds uv, or installs it into .uv/, and defines `sync`.
# A uv on the PATH may be a shim that does not run under this folder's .python-version, hence the trial run.
set -eu
cd "$(dirname "$0")/.."

if uv --version >/dev/null 2>&1; then
    UV=uv
else
    UV=.uv/bin/uv
    if ! "$UV" --version >/dev/null 2>&1; then
        echo "+ uv not found: installing it into .uv/"
        python=$(command -v python3 || command -v python) || { echo "Python 3 is needed to install uv" >&2; exit 1; }
        "$python" -m venv .uv
        .uv/bin/pip install --quiet --disable-pip-version-check uv
    fi
fi

# sync GROUP…: makes .venv hold the project, its dependencies at tested versions, and these groups.
sync() {
    echo "+ preparing .venv (Python $(cat .python-version)) $*"
    [ -x .venv/bin/python ] || "$UV" venv --quiet --python "$(cat .python-version)" .venv
    groups=""
    for group in "$@"; do groups="$groups --group $group"; done
    # shellcheck disable=SC2086 # the groups are separate words
    "$UV" pip install --quiet --python .venv/bin/python --constraints constraints.txt --editable . $groups
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
}

#!/bin/sh
# sh .devcontainer/own-venv.sh DIR...: stop the setup of a container before it harms a venv of the host.
#
# The container's own is what is mounted on DIR, what is not there yet, and a venv whose bin/activate says that it was
# made at this path, unless the host may have the folder at the same one (LOCAL_WORKSPACE_FOLDER is it, or is unset).

here=$(pwd -P)
host=${LOCAL_WORKSPACE_FOLDER:-$here}

is_mounted() { # mountinfo writes a blank and a backslash as their octal codes
    cut -d ' ' -f 5 /proc/self/mountinfo | grep -qxF -e "$(printf '%s\n' "$1" | sed 's/\\/\\134/g; s/ /\\040/g')"
}

is_made_here() {
    case "$here/" in "$host"/*) return 1 ;; esac
    case "$host/" in "$here"/*) return 1 ;; esac
    sed -n "s/^ *\(export \)\{0,1\}VIRTUAL_ENV=[\"']\{0,1\}\(.*[^\"']\)[\"']\{0,1\}\$/\2/p" "$1/bin/activate" |
        grep -qxF -e "$here/$1" -e "$(cd "./$1" && pwd -P)"
}

is_own() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    real=$(cd "./$1" && pwd -P) || return 1
    ! is_mounted "$real" || return 0
    for venv in "$1" "$1"/*; do
        for sign in pyvenv.cfg bin/activate conda-meta; do
            [ ! -e "$venv/$sign" ] || is_made_here "$venv" || return 1
        done
    done
}

for directory; do
    is_own "$directory" 2>/dev/null || {
        printf '%s %s %s %s\n' "$directory may be the host's and is left alone. For one of the container's own," \
            "install paude-venv-hook and run: devcontainer up --workspace-folder . --docker-path paude-venv-docker" \
            "--remove-existing-container (VS Code: set dev.containers.dockerPath to paude-venv-docker, and rebuild)." \
            "To share one instead, remove it first." >&2
        exit 1
    }
done

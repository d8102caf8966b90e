#!/bin/sh
# Writes the four .txt files anew from the .in files: every version pinned, every file's hash noted, and no word on
# where the files came from. Local indexes and wheel folders of this host are left out, since their hashes are nobody else's.
# `requirements/lock.sh --upgrade` moves to the newest versions.
set -eu
cd "$(dirname "$0")"
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL
export PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="requirements/lock.sh"
compile() {
    ../.venv/bin/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
        --no-emit-trusted-host --allow-unsafe --strip-extras "$@"
}
compile "$@" --output-file test.txt test.in
# The smaller sets take the versions of the large one: what was tested is what runs.
for name in bot manager simulator; do
    compile --constraint test.txt --output-file "$name.txt" "$name.in"
done

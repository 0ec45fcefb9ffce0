#!/bin/sh
# Installs Antiphon from this folder into another one; no network is needed. sh install.sh [FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$PWD/antiphon}
read -r version system machine < "$here/PLATFORM"

if [ "$(uname -s) $(uname -m)" != "$system $machine" ]; then
    echo "This bundle is for $system on $machine." >&2
    exit 1
fi
python=$(command -v "${PYTHON:-python$version}" || true)
if [ -z "$python" ]; then
    echo "Python $version is needed, with its module venv; set PYTHON=/path/to/python$version." >&2
    exit 1
fi
if [ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$version" ]; then
    echo "$python is not Python $version, which the wheels of this bundle are for." >&2
    exit 1
fi
if [ -e "$target" ]; then
    echo "$target exists already." >&2
    exit 1
fi

(cd "$here" && sha256sum --check --quiet SHA256SUMS)
"$python" -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check --quiet --isolated"
$pip install --no-index --no-deps --require-hashes --find-links "$here/wheels" -r "$here/requirements.txt"
$pip install --no-index --no-deps "$here"/antiphon-*.whl
cat > "$target/config.toml" <<'SETTINGS'
[storage]
folder = "data"

[weights]
offline = true
SETTINGS
"$target/bin/antiphon" models import --config "$target/config.toml" "$here/models.tar"
echo "Installed. Start: $target/bin/antiphon serve --prepare --config $target/config.toml"

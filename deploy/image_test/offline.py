"""A bundle installs and works with the network cut off."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.bundle.__main__ import make
from deploy.image_test.tools import Failed, call, demand

SENTENCE = "ask what you can do for your country"
WITHOUT_NETWORK = """
set -eu
ip link set lo up 2>/dev/null || true
test "$(wc -l < /proc/net/route)" -le 1
sh "$1/install.sh" "$2"
export ANTIPHON_CONFIG="$2/config.toml" ANTIPHON_SERVER_PORT=8321
"$2/bin/antiphon" serve --prepare > "$2/log" 2>&1 &
server=$!
for _ in $(seq 300); do
    if "$2/bin/antiphon" health > /dev/null 2>&1; then break; fi
    sleep 1
done
"$2/bin/antiphon" health
kill -TERM $server
wait $server || true
"$2/bin/antiphon" transcribe "$3"
"$2/bin/antiphon" speak "It works without a network." -o "$2/spoken.wav"
"""
"""A shell of its own: $1 the bundle, $2 where to install, $3 a recording."""


def check(project: Path, work: Path) -> None:
    """Makes a bundle, installs it under `unshare -n`, serves, transcribes and speaks. Raises `Failed`."""
    folder, target = work / "bundle", work / "installed"
    for old in (folder, target):
        shutil.rmtree(old, ignore_errors=True)
    make(folder, None)
    size = int(call("du", "--summarize", "--bytes", folder).split()[0])
    print(f"bundle: {size / 1e6:,.0f} MB")
    recording = project / "tests/data/jfk.flac"
    said = call("unshare", "-n", "sh", "-c", WITHOUT_NETWORK, "sh", folder, target, recording)
    demand(SENTENCE in said, f"The recording was heard as {said[-500:]!r}.")
    demand((target / "spoken.wav").stat().st_size > 10_000, "Nothing was spoken.")
    print(said.strip())
    check_damage(folder, work / "other")


def check_damage(folder: Path, target: Path) -> None:
    """A file that was changed on the way is found before anything is installed."""
    wheel = next((folder / "wheels").glob("*.whl"))
    with wheel.open("ab") as file:
        file.write(b"x")
    try:
        call("sh", folder / "install.sh", target)
    except Failed as told:
        demand(wheel.name in str(told), f"The damaged file is not named: {told}")
        demand(not target.exists(), "Something was installed.")
        print(f"a damaged wheel is refused: {wheel.name}")
        return
    raise Failed("A damaged wheel was installed.")

"""Fetches the libraries of the page anew: pinned packages from npm, copied byte for byte, with licences.

For maintainers, `make vendor`: needs the network. `app/studio/static/vendor/vendor.json` says what is there.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.support.node import BIN, NPM

STATIC = ROOT / "app/studio/static"
VENDOR = STATIC / "vendor"
TYPES = ROOT / "tests/studio/types/vendor"
"""Declarations of the same packages, for the type check alone; the page does not have them."""
LIT = ("repeat", "guard", "class-map", "ref", "live")
PACKAGES: dict[str, tuple[str, str, dict[str, str]]] = {
    "lit-html": (
        "3.3.3",
        "BSD-3-Clause",
        {
            name: name
            for name in (
                "LICENSE",
                "lit-html.js",
                "directive.js",
                "directive-helpers.js",
                "async-directive.js",
            )
        }
        | {f"directives/{name}.js": f"directives/{name}.js" for name in LIT},
    ),
    "@preact/signals-core": (
        "1.14.5",
        "MIT",
        {"LICENSE": "LICENSE", "dist/signals-core.mjs": "signals-core.mjs"},
    ),
    "eventsource-parser": (
        "4.1.3",
        "MIT",
        {
            "LICENSE": "LICENSE",
            "dist/index.js": "index.js",
            "dist/parse.js": "parse.js",
            "dist/errors.js": "errors.js",
        },
    ),
    "idb-keyval": ("6.3.0", "Apache-2.0", {"LICENCE": "LICENCE", "dist/index.js": "index.js"}),
    "lucide-static": ("1.62.0", "ISC", {"LICENSE": "LICENSE"}),
}
"""Package -> version, licence, and which of its files become which of ours."""
EXTRA_TYPES = {"eventsource-parser": {"dist/types.d.ts": "types.d.ts"}}
"""Declarations that have no module of their own in the page."""
ICONS = [
    "play",
    "pause",
    "square",
    "mic",
    "upload",
    "download",
    "copy",
    "check",
    "x",
    "trash-2",
    "users",
    "undo-2",
    "search",
    "server",
    "key",
    "sun",
    "moon",
    "circle-help",
    "chevron-down",
    "scissors",
    "merge",
    "replace",
    "volume-2",
    "file-audio",
    "refresh-cw",
    "code",
    "pencil",
    "plus",
]


def declarations(name: str, package: Path, files: dict[str, str]) -> None:
    """Copies the declaration beside each module, under the name that the import of the module asks for."""
    for source, target in files.items():
        typed = package / re.sub(r"\.m?js$", ".d.ts", source)
        if typed.suffix == ".ts" and typed.is_file():
            path = TYPES / short(name) / re.sub(r"\.(m?)js$", r".d.\1ts", target)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(typed, path)


def fetched(name: str, version: str, folder: Path) -> Path:
    """The unpacked package."""
    done = subprocess.run(
        [BIN / "node", NPM, "pack", f"{name}@{version}", "--silent"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    target = folder / name.replace("/", "-")
    target.mkdir()
    archive = folder / done.stdout.strip().splitlines()[-1]
    subprocess.run(["tar", "xzf", archive, "-C", target], check=True)
    return target / "package"


def short(name: str) -> str:
    return {"lucide-static": "lucide"}.get(name, name.rpartition("/")[2])


def icons(package: Path) -> str:
    """A module of templates, one for each icon."""
    lines = [
        "// @ts-check",
        "// Icons of Lucide (ISC, vendor/lucide/LICENSE). Written by `make vendor`: do not edit.",
        "import { svg } from '../../vendor/lit-html/lit-html.js';",
        "",
        "/** @type {Record<string, ReturnType<typeof svg>>} */",
        "export const PATHS = {",
    ]
    for name in ICONS:
        text = (package / "icons" / f"{name}.svg").read_text()
        inner = " ".join(
            re.sub(r"\s+", " ", text[text.index(">", text.index("<svg")) + 1 : text.index("</svg>")]).split()
        )
        lines.append(f"  '{name}': svg`{inner}`,")
    return "\n".join([*lines, "};", ""])


def main() -> None:
    shutil.rmtree(VENDOR, ignore_errors=True)
    shutil.rmtree(TYPES, ignore_errors=True)
    listed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (version, licence, files) in PACKAGES.items():
            package = fetched(name, version, Path(folder))
            hashes = {}
            for source, target in files.items():
                path = VENDOR / short(name) / target
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(package / source, path)
                hashes[f"{short(name)}/{target}"] = hashlib.sha256(path.read_bytes()).hexdigest()
            declarations(name, package, files | EXTRA_TYPES.get(name, {}))
            listed.append({"name": name, "version": version, "licence": licence, "files": hashes})
            if name == "lucide-static":
                (STATIC / "js/views/icon-paths.js").write_text(icons(package))
    (VENDOR / "vendor.json").write_text(json.dumps(listed, indent=2) + "\n")


if __name__ == "__main__":
    main()

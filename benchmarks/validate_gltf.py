"""Checks .glb files with the validator of the Khronos Group: `python benchmarks/validate_gltf.py mesh.glb ...`.

Needs node and npm. The validator (gltf-validator on npm, Apache-2.0) is unpacked into build/gltf-validator once.
Prints one line for each file and each message, and exits with 1 if a file has an error.
"""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

VERSION = "2.0.0-dev.3.10"
FOLDER = Path(__file__).parents[1] / "build" / "gltf-validator"

PROGRAM = """
const validator = require(process.argv[1]);
const bytes = new Uint8Array(require("fs").readFileSync(process.argv[2]));
validator.validateBytes(bytes, { maxIssues: 100 }).then((report) => console.log(JSON.stringify(report.issues)));
"""


def install() -> Path:
    """The validator's folder, filled if it is empty."""
    package = FOLDER / "package"
    if not package.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        packed = ["npm", "pack", f"gltf-validator@{VERSION}", "--silent"]
        name = subprocess.run(packed, cwd=FOLDER, check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(FOLDER / name) as archive:
            archive.extractall(FOLDER, filter="data")
    return package


def validate(path: Path, package: Path) -> dict:
    """Numbers of errors, warnings, infos and hints, and the messages."""
    command = ["node", "-e", PROGRAM, str(package), str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(names: list[str]) -> int:
    """Validates every file."""
    package, errors = install(), 0
    for name in names:
        issues = validate(Path(name), package)
        counts = ", ".join(
            f"{issues[f'num{kind}']} {kind.lower()}" for kind in ("Errors", "Warnings", "Infos", "Hints")
        )
        print(f"{name}: {counts}")
        for message in issues["messages"]:
            print(f"  {message['code']}: {message['message']} ({message.get('pointer', '')})")
        errors += issues["numErrors"]
    return int(errors > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

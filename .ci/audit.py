"""Ask the package index for known vulnerabilities of what is installed beside this program.

Exit status 1 where a package has one. Where the index does not answer that is said, and is no
failure: what was not asked is counted.
"""

import json
import subprocess
import sys

COMMAND = [sys.executable, "-m", "pip_audit", "--local", "--format", "json"]
OPTIONS = ["--progress-spinner", "off", "--timeout", "15"]


def main() -> int:
    """Run pip-audit, and print what it found in a few lines."""
    try:
        ended = subprocess.run(
            [*COMMAND, *OPTIONS], capture_output=True, text=True, check=False, timeout=300
        )
        packages = json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("audit: the package index does not answer; nothing was audited")
        return 0
    asked = [package for package in packages if "vulns" in package]
    if not asked:
        print(f"audit: the package index knows none of {len(packages)} packages; none was audited")
        return 0
    found = [package for package in asked if package["vulns"]]
    for package in found:
        names = ", ".join(
            f"{of['id']} (fixed in {', '.join(of['fix_versions']) or 'no release'})"
            for of in package["vulns"]
        )
        print(f"audit: {package['name']} {package['version']}: {names}")
    print(
        f"audit: {len(asked)} of {len(packages)} packages were audited, "
        f"{len(found)} have known vulnerabilities"
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

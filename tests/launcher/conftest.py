"""A copy of the project in a temporary folder, and two kinds of Python environment for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Programs of the system that the launcher may use; everything else on its PATH is a stand-in.
TOOLS = "bash cat chmod cmp cp dirname env flock git grep id ls mkdir readlink rm sleep tail tee touch".split()  # noqa: SIM905 - easier to read

# People keep their projects in folders of any name.
CHECKOUT = "the team's project"

# Plays Python, the Python of an environment, and its pip. Writes down how it was called. Runs the launcher's program.
FAKE_PYTHON = f"""#!/usr/bin/env bash
echo "python $*" >>"$CALLS"
case "$1 $2" in
  plugins/plugin_utils/launcher*) exec {sys.executable} "$@" ;;
  '-c import os'*) echo "$FAKE_VERSION $0" ;;
  '-c import ensurepip'*) [[ -e $STATE/venv-module ]] ;;
  '-m venv')
    mkdir -p "$3/bin"
    touch "$3/pyvenv.cfg"
    cp "$0" "$3/bin/python"
    cp "$0" "$3/bin/pip"
    ;;
  '-m pip')
    echo 'Collecting something'
    sleep "${{FAKE_PIP_SECONDS:-0}}"
    [[ ! -e $STATE/pip-fails ]] || {{ echo 'No route to the packages'; exit 1; }}
    program=${{0%/*}}/ansible-playbook
    {{ echo '#!/usr/bin/env bash'
       echo 'echo "config $ANSIBLE_CONFIG${{PYTHONDONTWRITEBYTECODE+ without bytecode}}"'
       echo 'printf "argument %s\\n" "$@"'
    }} >"$program"
    chmod +x "$program"
    ;;
esac
"""


@dataclass
class Launcher:
    """`./crowsnest` of a copy of the project, on a PATH of its own."""

    folder: Path
    state: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def venv(self) -> Path:
        return Path(self.extra.get("CROWSNEST_VENV", self.folder / ".venv"))

    def environment(self) -> dict[str, str]:
        return {
            "PATH": str(self.state / "bin"),
            "HOME": str(self.state),
            "CALLS": str(self.state / "calls"),
            "STATE": str(self.state),
            "FAKE_VERSION": "3.12.4",
            **self.extra,
        }

    def command(self, *words: str) -> list[str]:
        return [str(self.folder / "crowsnest"), *words]

    def run(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """From a folder that is not the project's."""
        return subprocess.run(
            self.command(*words),
            cwd=self.state,
            env=self.environment() | environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def calls(self, start: str) -> list[str]:
        """Calls of stand-ins that begin so."""
        log = self.state / "calls"
        return [line for line in log.read_text().splitlines() if line.startswith(start)] if log.exists() else []

    def program(self, name: str, text: str) -> None:
        path = self.state / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)


def copy_project(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    """The launcher beside a Python that only pretends; nothing is installed."""
    folder, state = tmp_path / CHECKOUT, tmp_path / "state"
    (state / "bin").mkdir(parents=True)
    (folder / "playbooks").mkdir(parents=True)
    for package in ("plugins/plugin_utils/launcher", "plugins/plugin_utils/inventory"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "collections/ansible_collections/crowsnest",
        folder / "collections/ansible_collections/crowsnest",
        symlinks=True,
    )
    for name in ("crowsnest", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / "playbooks/site.yml").write_text("---\n# Watches all hosts\n- name: Watch\n  hosts: all\n")
    (folder / "playbooks/alert_test.yml").write_text("---\n# Sends test alerts\n- name: Test\n  hosts: all\n")
    (folder / "playbooks/verify.yml").write_text("---\n# Asks whether all is well\n- name: Verify\n  hosts: all\n")
    (state / "venv-module").touch()
    made = Launcher(folder, state)
    for tool in TOOLS:
        found = shutil.which(tool)
        if found:
            (state / "bin" / tool).symlink_to(found)
    made.program("python3", FAKE_PYTHON)
    return made


@pytest.fixture(scope="session")
def real_launcher(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """The launcher with the packages of the environment that runs these tests, reached by links."""
    folder, state = tmp_path_factory.mktemp("real") / CHECKOUT, tmp_path_factory.mktemp("state")
    copy_project(folder)
    venv = state / "my venv"
    venv.mkdir()
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    for name in ("bin", "lib"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    write_stamps(folder, venv)
    extra: Mapping[str, str] = {"CROWSNEST_VENV": str(venv), "PATH": os.environ["PATH"]}
    return Launcher(folder, state, dict(extra))


def write_stamps(folder: Path, venv: Path) -> None:
    """What the launcher writes when the installation is complete."""
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (venv / lock).write_text(f"{venv}\n{(folder / lock).read_text()}")

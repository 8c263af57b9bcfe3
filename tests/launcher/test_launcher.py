"""The launcher: what it says, what it starts, and the Python environment it makes."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def text(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


# --- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--help"], ["help"], ["-h"], ["help", "--help"], ["help", "help"]])
def test_help_names_every_command_and_installs_nothing(launcher, words):
    done = launcher.run(*words)
    assert done.returncode == 0
    for command in ("demo", "demo --destroy", "demo --status", "test", "new", "site", "alert-test"):
        assert f"./crowsnest {command}" in done.stdout
    assert "Sends test alerts" in done.stdout
    assert not launcher.venv.exists()


@pytest.mark.parametrize(
    "words, shown",
    [
        ("demo --help", "./crowsnest demo --status"),
        ("demo --destroy -h", "./crowsnest demo --destroy"),
        ("test --help", "GROUP"),
        ("alert-test --help", "Sends test alerts"),
        ("site -i inventories/production --help", "-i INVENTORY"),
        ("verify --help", "--json"),
        ("help verify", "--json"),
    ],
)
def test_help_of_a_command_is_about_that_one_and_installs_nothing(launcher, words, shown):
    done = launcher.run(*words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout
    assert "./crowsnest new" not in done.stdout
    assert ("ansible-playbook" in done.stdout) is ("demo" not in words and "GROUP" not in shown)
    assert not launcher.venv.exists()


def test_help_is_given_without_a_python_that_can_only_after_one_was_found(launcher):
    python = (launcher.state / "bin/python3").read_text()
    launcher.program("python3", "#!/usr/bin/env bash\nexit 1\n")
    launcher.program("python3.12", python)
    done = launcher.run("site", "--help")
    assert "usage: ./crowsnest site" in done.stdout, text(done)
    assert launcher.venv.exists()


def test_version_is_that_of_pyproject(launcher):
    version = re.search(r'(?m)^version = "(.+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert launcher.run("--version").stdout == f"crowsnest {version}\n"


@pytest.mark.parametrize("word, nearest", [("stie", "site"), ("alert_tset", "alert-test"), ("dmeo", "demo")])
def test_an_unknown_command_is_refused_with_the_nearest(launcher, word, nearest):
    (launcher.state / "bin/python3").unlink()
    (launcher.state / "bin/python3").symlink_to(shutil.which("python3"))
    done = launcher.run(word)
    assert done.returncode == 2
    assert f"crowsnest: There is no command '{word}'." in done.stderr
    assert "\ncrowsnest: All commands: ./crowsnest --help\n" in done.stderr
    assert f"Did you mean: ./crowsnest {nearest}" in done.stderr
    assert not launcher.venv.exists()


def test_a_path_is_no_command(launcher):
    assert launcher.run("../playbooks/site").returncode == 2


def test_an_unknown_flag_of_demo_is_refused(launcher):
    done = launcher.run("demo", "--destory")
    assert done.returncode == 2
    assert "--status or --destroy" in done.stderr
    assert not launcher.venv.exists()


# --- what it starts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alert-test", "alert_test"])
def test_a_playbook_gets_every_argument_as_given(launcher, name):
    done = launcher.run(name, "-i", "inventories/a b", "--check")
    assert done.returncode == 0, text(done)
    assert done.stdout.splitlines() == [
        f"config {launcher.folder}/ansible.cfg",
        *(f"argument {word}" for word in ("playbooks/alert_test.yml", "-i", "inventories/a b", "--check")),
    ]


def test_ansible_keeps_its_bytecode_whatever_the_environment_says(launcher):
    done = launcher.run("site", PYTHONDONTWRITEBYTECODE="1")
    assert done.stdout.splitlines()[0] == f"config {launcher.folder}/ansible.cfg"


RESTORE = """
VERBS += (
    Verb(
        "restore",
        words=(Word("APP", "restore_app", "the app"),),
        options=(Option("--backup", "restore_backup", "which one", "NAME"), Option("--yes", "restore_yes", "do it")),
    ),
)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["shop", "--backup", 'it\'s "here"', "--yes", "-i", "inventories/a b", "--check"],
        ["-i", "inventories/a b", "--check", "--yes", "--backup", 'it\'s "here"', "shop"],
    ],
)
def test_a_new_verb_is_an_entry_in_the_table_and_a_playbook(launcher, words):
    (launcher.folder / "playbooks/restore.yml").write_text("---\n# Puts an app's data back\n- hosts: all\n")
    table = launcher.folder / "plugins/plugin_utils/launcher/verbs.py"
    table.write_text(table.read_text().replace("\ndef verbs(", f"{RESTORE}\ndef verbs("))
    done = launcher.run("restore", *words)
    given = [line.removeprefix("argument ") for line in done.stdout.splitlines()[1:]]
    assert given[:2] + given[3:] == ["playbooks/restore.yml", "--extra-vars", "-i", "inventories/a b", "--check"]
    assert json.loads(given[2]) == {"restore_app": "shop", "restore_backup": 'it\'s "here"', "restore_yes": True}
    assert f"./crowsnest {'restore APP':18} Puts an app's data back\n" in launcher.run().stdout


def test_it_can_be_started_through_a_link(launcher):
    (launcher.state / "bin/crowsnest").symlink_to(launcher.folder / "crowsnest")
    done = subprocess.run(
        ["crowsnest", "site"],  # as a person would who put the link on PATH
        cwd="/",
        env=launcher.environment(),
        executable=launcher.state / "bin/crowsnest",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "argument playbooks/site.yml" in done.stdout, text(done)


def test_bench_has_the_tools_for_tests_as_well(launcher):
    launcher.run("bench", "--help")
    assert [call for call in launcher.calls("python -m pip") if "requirements-dev.lock" in call]


def test_only_tests_install_the_tools_for_tests(launcher):
    launcher.run("site")
    assert [call for call in launcher.calls("python -m pip") if "requirements-dev.lock" in call] == []
    launcher.run("test", "lint")
    assert [call for call in launcher.calls("python -m pip") if "requirements-dev.lock" in call]
    assert launcher.calls("python tests/steps.py lint")
    launcher.run("site")
    assert len(launcher.calls("python -m pip")) == 2, "the larger environment serves playbooks too"
    assert len(launcher.calls("python -m venv")) == 1, "a complete environment is added to"


def test_ci_runs_all_tests(launcher):
    (launcher.folder / ".ci").mkdir()
    shutil.copy2(ROOT / ".ci/run", launcher.folder / ".ci/run")
    subprocess.run([launcher.folder / ".ci/run"], env=launcher.environment(), capture_output=True, check=True)
    assert launcher.calls("python tests/steps.py") == ["python tests/steps.py"]


def test_it_is_quick_when_all_is_there(launcher):
    launcher.run("site")
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        launcher.run("site")
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.5


# --- the environment -------------------------------------------------------------------------------------------------


def installations(launcher) -> int:
    return len(launcher.calls("python -m pip"))


def test_the_second_run_installs_nothing(launcher):
    assert launcher.run("site").returncode == 0
    assert launcher.run("site").returncode == 0
    assert installations(launcher) == 1


def test_packages_are_installed_by_hash(launcher):
    launcher.run("site")
    assert "--require-hashes --requirement requirements.lock" in launcher.calls("python -m pip")[0]


def test_a_failed_installation_says_why_and_is_repaired(launcher):
    (launcher.state / "pip-fails").touch()
    done = launcher.run("site")
    assert done.returncode == 2
    assert "No route to the packages" in done.stderr
    assert "argument" not in done.stdout
    (launcher.venv / "half a package").touch()
    (launcher.state / "pip-fails").unlink()
    assert "argument playbooks/site.yml" in launcher.run("site").stdout
    assert not (launcher.venv / "half a package").exists()


def test_an_interrupted_installation_is_repaired(launcher):
    environment = launcher.environment() | {"FAKE_PIP_SECONDS": "60"}
    running = subprocess.Popen(
        launcher.command("site"), env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while not launcher.calls("python -m pip"):
        time.sleep(0.02)
    subprocess.run(["kill", "-KILL", "--", f"-{running.pid}"], check=True)
    running.wait()
    assert "argument playbooks/site.yml" in launcher.run("site").stdout
    assert installations(launcher) == 2


def test_an_interrupted_addition_of_test_tools_is_repaired(launcher):
    launcher.run("site")
    (launcher.state / "pip-fails").touch()
    assert launcher.run("test").returncode == 2
    (launcher.state / "pip-fails").unlink()
    launcher.run("site")
    assert len(launcher.calls("python -m venv")) == 2, "made anew"


def test_a_changed_lock_is_installed(launcher):
    launcher.run("site")
    with (launcher.folder / "requirements.lock").open("a") as lock:
        lock.write("# newer\n")
    launcher.run("site")
    launcher.run("site")
    assert installations(launcher) == 2


def test_a_moved_project_gets_a_new_environment(launcher):
    launcher.run("site")
    launcher.folder = launcher.folder.rename(launcher.folder.with_name("elsewhere"))
    assert f"config {launcher.folder}/ansible.cfg" in launcher.run("site").stdout
    assert installations(launcher) == 2


def test_an_environment_whose_python_is_gone_is_made_anew(launcher):
    launcher.run("site")
    (launcher.venv / "bin/python").unlink()
    assert launcher.run("site").returncode == 0
    assert installations(launcher) == 2


def test_two_first_runs_at_once_install_once(launcher):
    environment = launcher.environment() | {"FAKE_PIP_SECONDS": "0.5"}
    runs = [
        subprocess.Popen(launcher.command("site"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert all(b"argument playbooks/site.yml" in run.communicate()[0] for run in runs)
    assert installations(launcher) == 1


def test_the_environment_can_be_elsewhere(launcher, tmp_path):
    launcher.extra["CROWSNEST_VENV"] = str(tmp_path / "env")
    assert launcher.run("site").returncode == 0
    assert (tmp_path / "env/bin/ansible-playbook").exists()
    assert not (launcher.folder / ".venv").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(launcher, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").touch()
    done = launcher.run("site", CROWSNEST_VENV=str(tmp_path / "photos"))
    assert done.returncode == 2
    assert "left alone" in done.stderr
    assert (tmp_path / "photos/cat.jpg").exists()


# --- finding Python --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.9.2", "3.10.12", "3.14.0", "2.7.18"])
def test_a_python_that_ansible_does_not_run_on_is_named_with_the_way_out(launcher, version):
    done = launcher.run("site", FAKE_VERSION=version)
    assert done.returncode == 2
    assert f"python3 is {version}" in done.stderr
    assert "Python 3.11 to 3.13 is needed" in done.stderr
    assert "uv" in done.stderr
    assert not launcher.venv.exists()


def test_no_python_at_all_is_said(launcher):
    (launcher.state / "bin/python3").unlink()
    done = launcher.run("site")
    assert done.returncode == 2
    assert "Found: none" in done.stderr


def test_a_newer_python_beside_an_old_one_is_taken(launcher):
    launcher.program("python3.11", (launcher.state / "bin/python3").read_text().replace("$FAKE_VERSION", "3.11.9"))
    done = launcher.run("site", FAKE_VERSION="3.9.2")
    assert "argument playbooks/site.yml" in done.stdout, text(done)


UV = """#!/usr/bin/env bash
echo "uv $*" >>"$CALLS"
[[ ! -e $STATE/uv-fails ]] || exit 1
last=${!#}
if [[ $1 == venv ]]; then
  FAKE_VERSION=3.13.1 "$STATE/python-of-uv" -m venv "$last" && rm "$last/bin/pip"
else
  "$5" -m pip
fi
"""


@pytest.fixture
def with_uv(launcher):
    launcher.program("uv", UV)
    shutil.copy2(launcher.state / "bin/python3", launcher.state / "python-of-uv")
    return launcher


def test_uv_is_used_when_present_and_brings_its_python(with_uv):
    done = with_uv.run("site", FAKE_VERSION="3.9.2")
    assert "argument playbooks/site.yml" in done.stdout, text(done)
    assert "--require-hashes --requirement requirements.lock" in with_uv.calls("uv pip")[0]


def test_pip_is_used_when_uv_fails(with_uv):
    (with_uv.state / "uv-fails").touch()
    done = with_uv.run("site")
    assert "argument playbooks/site.yml" in done.stdout, text(done)


def test_test_tools_are_added_without_uv_to_an_environment_of_uv(with_uv):
    with_uv.run("site")
    (with_uv.state / "bin/uv").unlink()
    assert with_uv.run("test").returncode == 0
    assert with_uv.calls("python tests/steps.py")


# --- the module venv -------------------------------------------------------------------------------------------------

RECORD = '#!/usr/bin/env bash\necho "{name} $*" >>"$CALLS"\n'
APT = RECORD.format(name="apt-get") + '[[ $* != *install* ]] || touch "$STATE/venv-module"\n'


@pytest.fixture
def without_venv_module(launcher):
    (launcher.state / "venv-module").unlink()
    launcher.program("apt-get", APT)
    return launcher


def user(launcher, uid: int, sudo: str) -> None:
    launcher.program("id", f"#!/usr/bin/env bash\necho {uid}\n")
    launcher.program("sudo", sudo)


def test_root_gets_the_missing_module_installed(without_venv_module):
    user(without_venv_module, 0, "#!/usr/bin/env bash\nexit 1\n")
    done = without_venv_module.run("site")
    assert "argument playbooks/site.yml" in done.stdout, text(done)
    assert without_venv_module.calls("apt-get install")[0].endswith(" python3.12-venv")


def test_a_user_who_may_gets_it_with_sudo(without_venv_module):
    user(without_venv_module, 1000, '#!/usr/bin/env bash\n[[ $1 == -n ]] && shift\n"$@"\n')
    without_venv_module.program("true", "#!/usr/bin/env bash\n")
    done = without_venv_module.run("site")
    assert "argument playbooks/site.yml" in done.stdout, text(done)
    assert without_venv_module.calls("apt-get install")


def test_a_user_who_may_not_is_told_the_command(without_venv_module):
    user(without_venv_module, 1000, "#!/usr/bin/env bash\nexit 1\n")
    done = without_venv_module.run("site")
    assert done.returncode == 2
    assert "sudo apt-get install python3.12-venv" in done.stderr
    assert without_venv_module.calls("apt-get") == []


# --- the demo --------------------------------------------------------------------------------------------------------


def test_the_demo_starts_host_stack_and_shop_and_prints_the_pages(launcher):
    done = launcher.run("demo")
    assert done.returncode == 0, text(done)
    assert "argument site.yml" in done.stdout
    assert launcher.calls("python molecule/lab") == [
        f"python molecule/lab {words}"
        for words in ("up demo --engine existing --memory 4096", "app demo up", "urls demo")
    ]


@pytest.mark.parametrize("flag, words", [("--status", ["status demo", "urls demo"]), ("--destroy", ["down demo"])])
def test_flags_of_the_demo_do_only_that(launcher, flag, words):
    assert launcher.run("demo", flag).returncode == 0
    assert launcher.calls("python molecule/lab") == [f"python molecule/lab {each}" for each in words]


def test_a_demo_that_fails_stops_there_and_says_how_to_go_on(launcher):
    launcher.run("site")
    (launcher.venv / "bin/ansible-playbook").write_text("#!/usr/bin/env bash\nexit 4\n")
    done = launcher.run("demo")
    assert done.returncode == 4
    assert done.stderr.count("Run ./crowsnest demo again") == 1
    assert launcher.calls("python molecule/lab")[-1] == "python molecule/lab app demo up"

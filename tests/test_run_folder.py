"""Whose a run folder is while a run begins in it, and what config.json says of the package's checkout."""

import contextlib
import subprocess

import pytest

from densedepth_keras import run_folder
from densedepth_keras.interruption import LOCK_FILE, run_lock
from densedepth_keras.run_folder import created


def enter(folder, lock):
    with created(folder, lock):
        pytest.fail("must not get here")


def test_a_run_that_begins_in_a_folder_takes_nothing_of_another_away(tmp_path):
    """Both were given one name at one time; the other has not written its first file yet."""
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    with run_lock(folder):
        with pytest.raises(ValueError, match="Another process"):
            enter(folder, run_lock)
        assert [path.name for path in folder.iterdir()] == [LOCK_FILE]


def test_a_run_that_another_process_has_begun_meanwhile_stays(tmp_path):
    """It began, and ended, between the look at the folder and the lock."""
    folder = tmp_path / "a"

    @contextlib.contextmanager
    def lock(folder):
        (folder / "config.json").write_text("theirs")
        yield

    with pytest.raises(FileExistsError, match="left as it is"):
        enter(folder, lock)
    assert (folder / "config.json").read_text() == "theirs"


def test_a_run_has_its_folder_for_itself(tmp_path):
    with (
        created(tmp_path / "a", run_lock),
        pytest.raises(ValueError, match="Another process"),
        run_lock(tmp_path / "a"),
    ):
        pass
    assert not list((tmp_path / "a").iterdir())


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with two commits, the second beside the package; where the package lies in it can be told."""
    place = tmp_path / "checkout"
    package = place / "densedepth_keras"
    package.mkdir(parents=True)
    git(place, "init", "--quiet")
    for name in ("densedepth_keras/run_folder.py", "README.md"):
        (place / name).write_text("one\n")
        git(place, "add", name)
        git(place, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--no-gpg-sign", "-m", name)
    monkeypatch.setattr(run_folder, "__file__", str(package / "run_folder.py"))
    return place


def git(place, *words):
    return subprocess.run(["git", "-C", str(place), *words], capture_output=True, text=True, check=True).stdout.strip()


def told():
    facts = run_folder.provenance()
    return facts["git_commit"], facts["git_dirty"]


def test_the_commit_is_the_checkout_s_and_dirty_is_what_the_package_is(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert told() == (head, False)
    (checkout / "runs").mkdir()
    (checkout / "runs" / "model.keras").write_text("what runs leave beside the package")
    assert told() == (head, False)
    (checkout / "densedepth_keras" / "run_folder.py").write_text("two\n")
    assert told() == (head, True)


def test_a_package_installed_below_another_project_has_no_commit(checkout, monkeypatch):
    inside = checkout / ".venv" / "site-packages" / "densedepth_keras"
    inside.mkdir(parents=True)
    monkeypatch.setattr(run_folder, "__file__", str(inside / "run_folder.py"))
    assert told() == (None, None)


def test_versions_are_of_what_can_compute_and_search():
    assert {"python", "densedepth_keras", "keras", "tensorflow", "jax", "keras-tuner", "numpy"} <= set(
        run_folder.provenance()["versions"]
    )

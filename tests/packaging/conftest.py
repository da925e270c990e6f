from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.shell import succeed

PROJECT = Path(__file__).resolve().parents[2]
LOCK = PROJECT / "requirements-dev.lock"


@dataclass(frozen=True)
class Installed:
    """A virtual environment that has the wheel, its dependencies, and nothing else."""

    python: Path
    crewlog: Path
    packages: Path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, so that both are whole."""
    folder = tmp_path_factory.mktemp("dist")
    succeed(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, PROJECT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a clean environment, with the versions of the lock file."""
    home = tmp_path_factory.mktemp("clean")
    succeed(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    python = home / "venv/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    succeed(*pip, "install", "--constraint", LOCK, wheel, cwd=home)
    succeed(*pip, "check", cwd=home)
    [packages] = (home / "venv/lib").glob("python*/site-packages")
    return Installed(python, home / "venv/bin/crewlog", packages)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A source tree with the real launcher and, in place of the program, room for a `cli/app.py`."""
    tree = tmp_path / "toy"
    for folder in ("cli", "domain"):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "__init__.py").touch()
    shutil.copy(PROJECT / "cli/launcher.py", tree / "cli")
    shutil.copytree(PROJECT / "cli/warm", tree / "cli/warm", ignore=shutil.ignore_patterns("__pycache__"))
    for module in ("files.py", "lean.py", "local.py", "place.py"):
        shutil.copy(PROJECT / "cli" / module, tree / "cli")
    (tree / "cli/version.py").write_text('__version__ = "1.2.3"\n')
    (tree / "domain/event.py").touch()
    return tree

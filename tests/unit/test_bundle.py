"""The explorer's bundle is made when its sources changed, and only then."""

import tomllib
from pathlib import Path

import pytest

import webapp
from webapp.local import bundle


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "explorer"
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "main.tsx").write_text("one")
    monkeypatch.setattr(bundle, "SOURCES", directory)
    monkeypatch.setattr(bundle, "STAMP", tmp_path / "dist" / "made-from.txt")
    monkeypatch.setattr(bundle, "LOG", tmp_path / "bundle.log")
    monkeypatch.setattr(bundle, "digest", lambda: real_digest(directory))
    bundle.STAMP.parent.mkdir()
    return directory


real_digest = bundle.digest


def test_a_bundle_is_fresh_until_a_source_changes(sources: Path) -> None:
    bundle.STAMP.write_text(bundle.digest())
    assert bundle.fresh()
    (sources / "src" / "main.tsx").write_text("two")
    assert not bundle.fresh()


def test_what_is_installed_beside_the_sources_is_none_of_them(sources: Path) -> None:
    before = bundle.digest()
    (sources / "node_modules").mkdir()
    (sources / "node_modules" / "react.js").write_text("not ours")
    assert bundle.digest() == before


def test_a_file_that_moves_makes_other_sources(sources: Path) -> None:
    before = bundle.digest()
    (sources / "src" / "main.tsx").rename(sources / "src" / "other.tsx")
    assert bundle.digest() != before


def test_a_build_that_fails_says_where_its_words_are_and_leaves_no_stamp(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.STAMP.write_text("of older sources")
    monkeypatch.setattr(bundle, "installed", lambda: ("/bin/false",))
    with pytest.raises(bundle.Unbuilt, match=r"bundle\.log"):
        bundle.build()
    assert not bundle.STAMP.exists()


@pytest.mark.parametrize(
    ("said", "fits"),
    [("v18.19.0", False), ("v20.18.1", False), ("v20.19.0", True), ("v22.11.0", False)]
    + [("v22.12.0", True), ("v24.1.0", True), ("no node here", False)],
)
def test_only_a_node_that_vite_takes_is_taken(tmp_path: Path, said: str, fits: bool) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {said}\n")
    node.chmod(0o755)
    assert bundle.fits(node) is fits


def test_the_version_that_is_shown_is_the_one_that_is_built() -> None:
    project = tomllib.loads((Path(webapp.__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert webapp.__version__ == project["version"]

"""The pages of `docs/`: built without a warning, complete where they are made from the code, and asking nobody."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from programs import ROOT

sys.path.insert(0, str(ROOT / "docs"))
from generated import configuration, rooms, troubleshooting

README_LINES = 130


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    variables = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    return folder


class Requests(HTMLParser):
    """What a browser fetches for a page, links that are only followed left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        names = ("src", "srcset", "data", "poster") if tag != "link" else ("href",)
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev", "edit"):
            return
        self.found += [value for name in names if (value := values.get(name))]


@pytest.mark.slow
def test_pages_are_built_without_a_warning_and_ask_nobody(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    written = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    for name in [*written, "configuration.html", "troubleshooting.html", "experiments/demo/index.html"]:
        assert (site / name).is_file(), name
    for path in pages:
        reader = Requests()
        reader.feed(path.read_text(encoding="utf-8"))
        elsewhere = [url for url in reader.found if re.match(r"(?i)(https?:)?//", url)]
        assert not elsewhere, (path, elsewhere)


def test_the_readme_is_short_and_links_lead_somewhere_in_the_repository() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES
    for page in [*ROOT.glob("*.md"), *(path for top in ("docs", "experiments") for path in (ROOT / top).rglob("*.md"))]:
        for target, anchor in re.findall(r"\]\(([^)#:\s]+)(?:#([^)\s]+))?\)", page.read_text()):
            path = page.parent / target
            assert path.exists(), (page, target)
            if anchor:
                headings = re.findall(r"(?m)^#+ (.+)$", path.read_text().lower())
                there = {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}
                assert anchor in there, (page, target, anchor)


def written_errors() -> Iterator[tuple[str, ast.Call]]:
    """Every place where an error of saga-sr is made: by its own look at the code."""
    kinds = {name for name in vars(__import__("saga_sr.core.errors", fromlist=["x"])) if name[0].isupper()}
    for path in (ROOT / "saga_sr").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
                yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", node


def literals(node: ast.AST) -> Iterator[str]:
    """The texts that a message is put together of, those handed to functions left out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr | ast.BinOp | ast.FormattedValue | ast.IfExp):
        for field in ("values", "left", "right", "value", "body", "orelse"):
            part = getattr(node, field, [])
            for one in part if isinstance(part, list) else [part]:
                yield from literals(one)


def test_troubleshooting_has_every_sentence_of_every_error() -> None:
    """Each literal part of a message that has words is on the page, in the sentence of that place."""
    text = " ".join(re.sub(r"\\(.)", r"\1", troubleshooting.page()).split()).lower()
    places = {said.place for said in troubleshooting.sentences()}
    count = 0
    for place, call in written_errors():
        literal = [part for part in literals(call.args[0]) if re.search(r"[a-z]{4}", part)] if call.args else []
        shown = isinstance(call.args[0] if call.args else None, ast.JoinedStr | ast.Constant | ast.BinOp)
        if literal and shown:
            count += 1
            assert place in places, place
            for part in literal:
                for piece in re.split(r"; |[`*_|<>]", part):
                    words = " ".join(piece.split()).strip(" .").lower()
                    assert words in text, (place, words)
    assert count > 300


def test_every_sentence_says_a_mend_or_is_known_not_to() -> None:
    rows = [troubleshooting.divided(said.text) for said in troubleshooting.sentences()]
    without = [what for what, mend in rows if not mend]
    assert len(without) < 0.25 * len(rows), without


def test_the_configuration_reference_has_every_file_and_value() -> None:
    page = configuration.page()
    for path in (ROOT / "conf").rglob("*.yaml"):
        group = path.parent.relative_to(ROOT / "conf").as_posix()
        verb = configuration.COMMANDS.get(path.stem, f"saga-sr {path.stem}")
        heading = f"### `{verb}`" if group == "." else f"### `{group}={path.stem}`"
        assert heading in page, heading
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    said = [line for line in rows if line.rsplit(" | ", 1)[-1].strip(" |")]
    assert len(rows) > 300 and len(said) > 0.5 * len(rows), (len(said), len(rows))
    assert "| `exponent` | `0.5` | Companding; at 0.5" in page  # a comment
    assert re.search(r"\| `kv_heads` \| `4` \| \w", page)  # a docstring


def test_the_picture_has_every_room_above_what_it_imports() -> None:
    picture = rooms.picture()
    arrows = rooms.imports()
    height = {name: float(y) for y, name in re.findall(r'y="([\d.]+)">([a-z]+)</text>', picture)}
    assert {*height} == {*arrows} and len(height) > 20
    for room, others in arrows.items():
        assert all(height[room] < height[other] for other in others), room


def test_what_is_run_elsewhere_is_what_is_run_here() -> None:
    """Workflows name targets of the Makefile, and commits are checked as `make check` does."""
    makefile = (ROOT / "Makefile").read_text()
    targets = {*re.findall(r"(?m)^([\w-]+):", makefile)}
    named = set()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            named |= {step["run"].split()[1] for step in job["steps"] if "run" in step}
    assert named == {"check", "test", "test-wheel", "docs"} and named <= targets
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    check = makefile.split("\ncheck:")[1].split("\n\n")[0].replace("$(RUN)", ".venv/bin/python")
    assert [hook["entry"] for hook in hooks] == [line.strip() for line in check.splitlines()[1:]]


def test_forms_ask_for_what_doctor_says_and_the_citation_is_of_this_version() -> None:
    from saga_sr.core.version import __version__

    for name in ("fault", "wish"):
        form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
        asked = [part["attributes"]["label"] for part in form["body"]]
        assert "What `saga-sr doctor` says" in asked
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"], cited["cff-version"]) == (__version__, "MIT", "1.2.0")

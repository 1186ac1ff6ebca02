"""What MkDocs does beside its own: pages made from the code, and studies and benchmarks where they lie."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from generated import configuration, rooms, troubleshooting  # noqa: E402

GENERATED = {
    "configuration.md": configuration.page,
    "troubleshooting.md": troubleshooting.page,
    "rooms.svg": rooms.picture,
}
# What is read where it lies, with its pictures.
ELSEWHERE = ("experiments/**/*.md", "experiments/*/*.png", "benchmarks/*.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add what does not lie in `docs/`."""
    for name, make in GENERATED.items():
        files.append(File.generated(config, name, content=make()))
    for pattern in ELSEWHERE:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links as they are in the repository, to pages where these are, and to nothing where a file is no page."""
    own = page.file.src_uri
    here = own if own.startswith(("experiments/", "benchmarks/", "C")) else f"docs/{own}"

    def changed(match: re.Match[str]) -> str:
        picture, text, target = match.groups()
        path, _, anchor = target.partition("#")
        if not path or ":" in path:
            return match[0]
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
        name = inside.removeprefix("docs/")
        if posixpath.dirname(inside) == "docs/generated":  # what makes a page stands for it, in the repository
            name = next(made for made in GENERATED if Path(made).stem == Path(inside).stem)
            picture = "!" if name.endswith(".svg") else ""
        if files.get_file_from_path(name) is not None:
            to = posixpath.relpath(name, posixpath.dirname(own) or ".")
            return f"{picture}[{text}]({to}{'#' + anchor if anchor else ''})"
        return f"{text} (`{inside}`)" if (ROOT / inside).exists() else match[0]

    return LINK.sub(changed, markdown)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Chinese pages say that they are, so that a browser takes the right signs."""
    return output.replace('<html lang="en"', '<html lang="zh-CN"', 1) if page.file.src_uri.startswith("zh/") else output

"""Writes the list of the twin's rules in `docs/twin.md` from the docstrings of `twin/rules`.

python tools/twin_rules.py
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/twin.md"
RULES = ROOT / "functions/paydispatch/twin/rules"
MACHINERY = ("__init__", "rulebook", "situation")
"""Modules without a rule."""

START, END = "<!-- rules -->\n", "<!-- end of rules -->"


def main() -> None:
    PAGE.write_text(with_rules(PAGE.read_text("utf-8")), encoding="utf-8")


def with_rules(page: str) -> str:
    """Return the page with the list of today between its two marks."""
    before, _, rest = page.partition(START)
    after = rest.partition(END)[2]
    rules = "".join(f"- {first_sentence(module)}\n" for module in modules())
    return f"{before}{START}{rules}{END}{after}"


def modules() -> list[Path]:
    return [module for module in sorted(RULES.glob("*.py")) if module.stem not in MACHINERY]


def first_sentence(module: Path) -> str:
    """Return the first line of the module's docstring."""
    text = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or module.stem
    return text.partition("\n")[0]


if __name__ == "__main__":
    main()

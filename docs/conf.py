"""The site of the documents. `make docs` builds it into build/site."""

import re
from importlib import metadata

project = "paydispatch"
copyright = "the paydispatch maintainers"  # noqa: A001 - the name that Sphinx reads
release = metadata.version("paydispatch")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_heading_anchors = 4
# The decisions are listed on their own page, and would fill the navigation.
suppress_warnings = ["myst.header", "toc.not_included"]

autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "paydispatch"
copybutton_prompt_text = "$ "

_CODE = re.compile(r"`([^`]+)`")
_EXAMPLE = re.compile(r"\n\n(?= {4}\S)")


def _as_restructured_text(_app, _what, _name, _object, _options, lines):
    """Turn a docstring in plain text with `code` and indented examples into the markup that autodoc reads."""
    text = _CODE.sub(r"``\1``", "\n".join(lines))
    lines[:] = _EXAMPLE.sub("\n\n.. code-block:: python\n\n", text).split("\n")


def setup(app):
    app.connect("autodoc-process-docstring", _as_restructured_text)

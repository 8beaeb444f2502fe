"""The guards of the console: nobody but the person with its address reads or acts."""

from __future__ import annotations

from guard import SOURCE, Guard

OWN_PAGE = "Another origin can neither read nor act."
NO_KEY = "A key is nowhere in the page or its data."
GUARD = SOURCE + "console/guard.py"
GUARD_TESTS = ("tests/unit/console/test_guard.py",)
QUESTION_TESTS = ("tests/unit/console/test_questions.py",)

CONSOLE_GUARDS: tuple[Guard, ...] = (
    Guard(
        "console: a name that points to this machine is taken for it",
        OWN_PAGE,
        GUARD,
        "        if request.host not in self._hosts:",
        "        if False:",
        GUARD_TESTS,
    ),
    Guard(
        "console: a page of another origin may act",
        OWN_PAGE,
        GUARD,
        '        return origin == f"http://{request.host}"',
        "        return True",
        GUARD_TESTS,
    ),
    Guard(
        "console: a command needs no origin",
        OWN_PAGE,
        GUARD,
        '            return request.method == "GET" and request.headers',
        "            return request.headers",
        GUARD_TESTS,
    ),
    Guard(
        "console: a page of the same site may read without an origin",
        OWN_PAGE,
        GUARD,
        '                "same-origin",\n',
        '                "same-origin",\n                "same-site",\n',
        GUARD_TESTS,
    ),
    Guard(
        "console: the address without its token is served",
        OWN_PAGE,
        GUARD,
        "        if not self._is_token(request.cookies.get(self._cookie)):",
        "        if False:",
        GUARD_TESTS,
    ),
    Guard(
        "console: a script of the page could read the token",
        OWN_PAGE,
        GUARD,
        'httponly=True, samesite="Strict"',
        'httponly=False, samesite="Strict"',
        GUARD_TESTS,
    ),
    Guard(
        "console: a page of another site may be framed around it",
        OWN_PAGE,
        GUARD,
        "frame-ancestors 'none'",
        "frame-ancestors *",
        GUARD_TESTS,
    ),
    Guard(
        "console: its answers show keys",
        NO_KEY,
        SOURCE + "console/handlers/answers.py",
        "    text = json.dumps(redact_json(document))",
        "    text = json.dumps(document)",
        GUARD_TESTS,
    ),
    Guard(
        "console: it runs any command of an operator",
        "The page erases nothing and sets no limit.",
        SOURCE + "console/handlers/questions.py",
        "        if not isinstance(name, str) or name not in COMMANDS or not isinstance(given, dict):",
        "        if not isinstance(name, str) or not isinstance(given, dict):",
        GUARD_TESTS,
    ),
    Guard(
        "console: it controls all of the twin",
        "The page has the twin's faults and its clock alone.",
        SOURCE + "console/handlers/trials.py",
        "        if (method, name) not in TWIN_CALLS:",
        "        if False:",
        QUESTION_TESTS,
    ),
    Guard(
        "console: a walk through the dead letters hides them from a redrive",
        "A redrive works on the messages that its dry run has shown.",
        SOURCE + "console/handlers/questions.py",
        '        async with self._dead_letters if name.startswith("dlq ") else nullcontext():',
        "        async with nullcontext():",
        QUESTION_TESTS,
    ),
    Guard(
        "console: a trial goes to another server",
        NO_KEY,
        SOURCE + "compose/console/trials.py",
        '    if not path.startswith("/v1/"):',
        "    if False:",
        ("tests/unit/console/test_rehearsal.py",),
    ),
)

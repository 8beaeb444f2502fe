"""Finds the Redis commands of each program: those of the adapters that its composition root imports.

It reads the commands in the Lua scripts that these adapters name, and the methods that they call on a client. A whole
adapter counts, because a program that imports it may use any of it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import grimp

ADAPTERS = "paydispatch.adapters.redis"
FUNCTIONS = Path(__file__).parents[2] / "functions"
LUA = FUNCTIONS / "paydispatch/adapters/redis/lua"
ROOTS = {
    "Api": ("paydispatch.compose.api",),
    "StripeCaller": ("paydispatch.compose.stripe_caller",),
    "Reconciler": ("paydispatch.compose.reconciler",),
    "FlowRunner": ("paydispatch.compose.flow_runner",),
    "Worker": ("paydispatch.compose.flow_runner",),
}
"""The composition roots of each user in `infra/redis.yaml`."""

CONNECTING = {
    *("hello", "auth", "ping", "info"),
    *("cluster|slots", "command"),  # of a cluster
}
"""What redis-py and the check of the policy send on each new connection."""

SPELLED_OTHERWISE = {
    "delete": "del",
    "xinfo_groups": "xinfo|groups",
    "xpending_range": "xpending",
}
NO_COMMANDS = {
    *("aclose", "close", "execute", "execute_command", "get_message", "initialize"),
    *("on_connect", "pipeline", "pubsub"),
}
"""Methods of a client that send no command of their own."""

ALL_SCRIPTS = {f"{ADAPTERS}.scripts"}
"""Loads the scripts of all programs, and names some of them."""

ANSWERS = {"READONLY", "MOVED", "ASK"}
"""Words in capitals that a server answers."""


def commands_of(user: str) -> set[str]:
    """Return the commands that the programs of `user` send, in the words of an ACL rule."""
    modules = {name for root in ROOTS[user] for name in _imported(root) if ADAPTERS in name}
    commands = {command for module in modules for command in _commands_in(module)}
    listens = user == "Worker"  # the function looks at streams when it is rung or on its schedule
    allowed = commands if listens else commands - {"psubscribe"}
    return CONNECTING | allowed


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("paydispatch", exclude_type_checking_imports=True)


def _imported(root: str) -> set[str]:
    return set(_graph().find_upstream_modules(root))


def _commands_in(module: str) -> set[str]:
    path = FUNCTIONS / (module.replace(".", "/") + ".py")
    if not path.exists():  # a package
        return set()
    text = path.read_text("utf-8")
    methods = set(re.findall(r"(?:redis|pipe|client|node|pubsub)\.(\w+)\(", text)) - NO_COMMANDS
    called = {SPELLED_OTHERWISE.get(name, name.lower()) for name in methods}
    spelled_out = set(re.findall(r"[\[(]\"([A-Z]+)\"", text)) - ANSWERS
    called |= {word.lower() for word in spelled_out}
    named = (
        set() if module in ALL_SCRIPTS else set(re.findall(r"\"(\w+)\"", text)) & set(_scripts())
    )
    return called.union(*(_scripts()[name] for name in named))


@cache
def _scripts() -> dict[str, set[str]]:
    """Return the commands of each script by its name."""
    return {path.stem: _commands_of_script(path) for path in LUA.glob("*/*.lua")}


def _commands_of_script(path: Path) -> set[str]:
    called = re.findall(
        r"redis\.p?call\('(\w+)'(?:, '(GROUPS|CONSUMERS|DELCONSUMER|CREATE)')?", path.read_text()
    )
    return {"|".join(filter(None, names)).lower() for names in called}

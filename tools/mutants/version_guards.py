"""The guards of the check for one version of Stripe's API."""

from __future__ import annotations

from guard import SOURCE, Guard

VERSIONS = (
    "What only another version of Stripe's API has passes with a warning, and all else is checked."
)
SCHEMAS = ("tests/unit/schema/test_other_versions.py",)
WAYS_IN = (
    "tests/unit/handlers/test_api_warnings.py",
    "tests/unit/services/test_other_versions.py",
    "tests/unit/sdk/test_other_versions.py",
)
CHECK = SOURCE + "domain/parameters/check.py"

VERSION_GUARDS: tuple[Guard, ...] = (
    Guard(
        "version: a parameter that is gone has no warning",
        VERSIONS,
        SOURCE + "domain/parameters/versions.py",
        "    return isinstance(part, dict) and UNTIL in part",
        "    return False",
        SCHEMAS,
    ),
    Guard(
        "version: every name passes with the version of the schemas",
        VERSIONS,
        CHECK,
        "    return _both(operation) if version == STRIPE_API_VERSION else _open(operation)",
        "    return _open(operation)",
        SCHEMAS,
    ),
    Guard(
        "version: with another version a list of values becomes any value",
        VERSIONS,
        SOURCE + "domain/parameters/versions.py",
        '        return {"type": "string"}',
        "        return {}",
        SCHEMAS,
    ),
    Guard(
        "version: the API checks for its own version alone",
        VERSIONS,
        SOURCE + "services/accept.py",
        "            request.unchecked_params,\n            self._stripe_api_version,\n",
        "            request.unchecked_params,\n",
        WAYS_IN,
    ),
    Guard(
        "version: a flow checks for its own version alone",
        VERSIONS,
        SOURCE + "flow.py",
        "require_valid_params(operation, params, unchecked, self._stripe_api_version)",
        "require_valid_params(operation, params, unchecked)",
        WAYS_IN,
    ),
)

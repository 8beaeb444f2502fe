"""Guards of the way in: a request asks for the operation and the ids that its caller named, and for no others."""

from guard import SOURCE, Guard

NAMED = "A request asks for the operation and the ids that its caller named."

API = ("tests/unit/handlers/test_api_operations.py",)
SDK = ("tests/unit/sdk/test_operations.py",)

WAY_IN_GUARDS: tuple[Guard, ...] = (
    Guard(
        "way in: the ids of a request are not checked",
        NAMED,
        SOURCE + "domain/requests.py",
        "        check_path(self.operation, self.path)\n",
        "",
        API,
    ),
    Guard(
        "way in: a Stripe key passes as an id",
        NAMED,
        SOURCE + "domain/stripe/operation_fields.py",
        '        check_holds_no_key(f"path[{name}]", value)\n',
        "",
        API,
    ),
    Guard(
        "way in: the ids of a flow's request are not checked",
        NAMED,
        SOURCE + "flow.py",
        "        check_path(row, ids)\n",
        "",
        SDK,
    ),
    Guard(
        "way in: an id in a URL is decoded twice",
        NAMED,
        SOURCE + "handlers/api/urls.py",
        'quote(path, safe="/", errors="surrogatepass")',
        "path",
        API,
    ),
    Guard(
        "way in: a body may name another operation than its URL",
        NAMED,
        SOURCE + "domain/requests.py",
        "    check_same_operation(body, operation, path)\n",
        "",
        API,
    ),
    Guard(
        "way in: the message carries no ids",
        NAMED,
        SOURCE + "domain/message/new_envelope.py",
        "        path=request.path,\n",
        "",
        API,
    ),
)

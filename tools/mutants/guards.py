"""The guards, each with the edit that breaks it and the sentence of the promise that the edit makes false."""

from __future__ import annotations

from console_guards import CONSOLE_GUARDS
from derived_guards import DERIVED_GUARDS
from event_guards import EVENT_GUARDS
from flow_guards import FLOW_GUARDS
from guard import LATCH, LUA, SOURCE, Guard
from identity_guards import IDENTITY_GUARDS
from look_guards import LOOK_GUARDS
from operation_guards import OPERATION_GUARDS
from operator_guards import OPERATOR_GUARDS
from outcome_guards import OUTCOME_GUARDS
from parameter_guards import PARAMETER_GUARDS
from rate_guards import RATE_GUARDS
from repeat_guards import REPEAT_GUARDS
from replay_guards import REPLAY_GUARDS
from rerun_guards import RERUN_GUARDS
from retry_guards import RETRY_GUARDS
from twin_guards import TWIN_GUARDS
from version_guards import VERSION_GUARDS
from way_in_guards import WAY_IN_GUARDS

RETRY = ("tests/unit/domain/test_retry.py", "tests/unit/domain/test_retry_table.py")
REDIS_OUTCOMES = ("tests/integration/adapters/test_outcome_stream.py",)
REDIS_INBOX = (
    "tests/integration/adapters/test_flow_inbox.py",
    "tests/integration/adapters/test_redis_inbox.py",
)
SHARED_PIPELINES = ("tests/unit/adapters/test_shared_pipelines.py",)
REDIS_FAILOVER = ("tests/integration/adapters/test_redis_failover.py",)
REDIS_EVICTION = ("tests/integration/adapters/test_redis_eviction.py",)
REDIS_USER = ("tests/integration/adapters/test_redis_user.py",)
REDIS_SWEEP = ("tests/integration/adapters/test_sweep.py",)
VAULT = ("tests/integration/adapters/test_kms.py",)
STRIPE_ACCOUNTS = ("tests/unit/adapters/test_stripe_accounts.py",)
STRIPE_LISTS = ("tests/unit/adapters/test_stripe_lists.py",)
WAY_IN = (
    "tests/unit/services/test_accept.py",
    "tests/unit/services/test_one_key.py",
    "tests/unit/services/test_status.py",
    "tests/unit/handlers/test_api.py",
    "tests/unit/handlers/test_answer_size.py",
)
FLOW = ("tests/unit/sdk/test_flow.py",)
SDK = (
    "tests/unit/sdk/test_closing.py",
    "tests/unit/sdk/test_dispatcher.py",
    "tests/unit/sdk/test_lost_answers.py",
)
FORKS = ("tests/unit/sdk/test_forks.py",)
SQS_ANSWERS = ("tests/integration/adapters/test_sqs_lost_answers.py",)
HTTP_ANSWERS = ("tests/integration/adapters/test_http_delivery.py",)
SUBMIT = (
    "tests/unit/cli/submission/test_submit.py",
    "tests/unit/cli/submission/test_kills.py",
)
WIRE = ("tests/integration/adapters/test_stripe_http.py",)

ATTEMPTS = SOURCE + "domain/attempts.py"
CALL = SOURCE + "services/call_stripe.py"
OPEN_SEND = SOURCE + "services/calls/open_send.py"
GUARD_STEP = SOURCE + "services/calls/guard.py"
CONCLUDE = SOURCE + "services/calls/conclude.py"
CALL_BATCH = SOURCE + "services/call_batch.py"
READ_MESSAGE = SOURCE + "domain/message/read_message.py"
JSON_VALUES = SOURCE + "domain/parameters/json_values.py"
PROTECTED_URLS = SOURCE + "domain/web/protected_urls.py"
LISTS = SOURCE + "adapters/stripe/lists.py"
MARKS = SOURCE + "domain/identity/marks.py"
OUTCOMES_TWIN = SOURCE + "testing/memory_outcomes.py"
INBOX_TWIN = SOURCE + "testing/memory_inbox.py"
WRONG_NODE = SOURCE + "adapters/redis/wrong_node.py"
RETRY_RULES = SOURCE + "domain/retry.py"
PROGRESS = SOURCE + "domain/progress.py"
REDRIVE = SOURCE + "domain/operators/redrive.py"
STRIPE_ACCOUNTS_CODE = SOURCE + "adapters/stripe/accounts.py"
UNKNOWN_OUTCOMES = SOURCE + "domain/unknown_outcomes.py"
LOOKUPS = SOURCE + "domain/operators/lookups.py"
RUN_FLOWS = SOURCE + "services/run_flows.py"
RUN_TURN = SOURCE + "services/flow_runs/run_turn.py"
ACCEPT = SOURCE + "services/accept.py"
SENDER = SOURCE + "sdk/sender.py"
DISPATCHER = SOURCE + "sdk/dispatcher.py"
SQS_SENDS = SOURCE + "adapters/aws/sqs_sends.py"


HORIZON = "After 23 h nothing is POSTed again under the old idempotency key."
ONCE = "An outcome is appended only if its seen-mark was absent."
DURABLE = "A message is acknowledged only after its outcome or its copy is durable."
BEFORE_PARKING = "A request that is given up is published as an error first and parked second."
REDIS_FIRST = "Stripe is not called while Redis, which must take the outcome, is unavailable."
KEY = "The key is in no queue, stream or log, and opens only for its own conversation."
PROOF = "Absence is proof only if the lookup covers every POST and no POST can follow."
NO_NEEDLESS_DOUBT = "Only a call that was made can make the outcome unknown."
MARK = "The metadata mark makes it possible to find the object of an unknown attempt."
NO_ENDLESS_WALK = "No redrive ends at one bad message, and each message has its outcome."
OVER_TLS = "Keys and outcomes leave the machine only over TLS."
NO_WEB_PAGE = "No web page can call the servers on this machine."
TERMINAL = "Text from others cannot control an operator's terminal."
ACTS_IN_AN_ACCOUNT = "Every call with an organisation's key names the account in which it acts."
ONE_KEY = "One idempotency key of a tenant is one request over every way in."
ONE_LINE = "A line of a file is one request, whenever its submission is killed."
THREE_ANSWERS = "The way in has three answers: accepted, refused, and unknown."
STOPPED_FIRST = "A receipt is never reported as lost while its message can still arrive."
OWN_DISPATCHER = "A fork gets its own Dispatcher, and no program drops a request silently."
ONE_WAIT = "Requests that share one failure wait for it only once."
OWN_TENANT = "A request and its status belong only to its tenant."
BOUNDED_ANSWER = "No answer exceeds Lambda's size limit."
IN_ORDER = "Flows of one context run in order."
RIGHT_NODE = "After a failover the next try finds the new primary."
NO_EVICTION = "A Redis that can evict a guard is refused."
OWN_RESULT = "Requests that share a round trip to Redis share no result."
EVERY_TENANT = "The flows of every tenant's workers run."
BELL = "A doorbell never fails an outcome."
FOUND = "A sweep finds the entries of a lost ring, for any number of workers."
AFTER_THE_FLOW = "The runner acknowledges after the flow returned and its follow-ups are queued."

GUARDS = (
    Guard(
        "latch: a refusal after an unknown attempt is published as not created",
        LATCH,
        PROGRESS,
        "        return Certainty.UNKNOWN if self.maybe_executed else Certainty.NOT_CREATED",
        "        return Certainty.NOT_CREATED",
    ),
    Guard(
        "latch: an unknown attempt does not set it",
        LATCH,
        RETRY_RULES,
        "    return isinstance(attempt, Unknown)\n",
        "    return False\n",
    ),
    Guard(
        "latch: the latch in the message is dropped",
        LATCH,
        RETRY_RULES,
        "maybe_executed=progress.maybe_executed or raises_doubt(attempt)",
        "maybe_executed=raises_doubt(attempt)",
    ),
    Guard(
        "latch: a latch from earlier receives is ignored",
        LATCH,
        RETRY_RULES,
        "        maybe_executed=progress.maybe_executed or state.in_doubt,",
        "        maybe_executed=progress.maybe_executed,",
    ),
    Guard(
        "latch: an idempotency key in use does not set it",
        LATCH,
        RETRY_RULES,
        '        return in_use or attempt.error.get("type") == "idempotency_error"',
        "        return False",
    ),
    Guard(
        "latch: a response that was not published does not set it",
        LATCH,
        CONCLUDE,
        "    with defer_if_unavailable(progress_for_copy(progress, outcome)):\n        first",
        "    with defer_if_unavailable(progress):\n        first",
    ),
    Guard(
        "latch: a parked message loses it",
        LATCH,
        CONCLUDE,
        "        await _park(call, progress_for_copy(progress, decision.outcome), decision.outcome)",
        "        await _park(call, progress, decision.outcome)",
    ),
    Guard(
        "latch: a call that ends with its invocation does not set it",
        LATCH,
        CALL,
        'return Unknown("The invocation ended before Stripe answered", "invocation_ended")',
        'raise Unavailable("The invocation ended before Stripe answered") from None',
    ),
    Guard(
        "horizon: no guard before a POST",
        HORIZON,
        RETRY_RULES,
        "    return first_sent_at is not None and now_s - first_sent_at >= HORIZON_S",
        "    return False",
    ),
    Guard(
        "horizon: the time of the first send is not read from the message",
        HORIZON,
        READ_MESSAGE,
        '    first_sent_at = fields.get("first_sent_at")',
        "    first_sent_at = None",
    ),
    Guard(
        "seen-mark: always append (twin)",
        ONCE,
        OUTCOMES_TWIN,
        '        if self.marks.get(key) in (mark, "settled"):\n            return False\n',
        "",
    ),
    Guard(
        "seen-mark: always append (publish.lua)",
        ONCE,
        LUA + "streams/publish.lua",
        "if mark == 'settled' or mark == ARGV[1] then\n  return false\nend",
        "",
        REDIS_OUTCOMES,
    ),
    Guard(
        "publish before park: parked first",
        BEFORE_PARKING,
        CONCLUDE,
        "    await publish_and_log(call, progress, outcome, inferred=inferred)\n"
        "    if isinstance(decision, GivenUp):\n"
        "        await _note_doubt(call, progress, decision.outcome)\n"
        "        await _park(call, progress_for_copy(progress, decision.outcome), decision.outcome)\n",
        "    if isinstance(decision, GivenUp):\n"
        "        await _park(call, progress_for_copy(progress, decision.outcome), decision.outcome)\n"
        "    await publish_and_log(call, progress, outcome, inferred=inferred)\n",
    ),
    Guard(
        "publish before park: an unknown outcome is not parked",
        "A request with an unknown outcome is parked for an operator.",
        CONCLUDE,
        "inferred=inferred)\n    if isinstance(decision, GivenUp):\n",
        "inferred=inferred)\n    if False:\n",
    ),
    Guard(
        "publish before acknowledge: an unavailable store counts as done",
        DURABLE,
        CALL,
        "        await defer_for_store(call, deferral)",
        "        del deferral",
    ),
    Guard(
        "publish before acknowledge: an unavailable queue counts as done",
        DURABLE,
        CALL_BATCH,
        '            self._ports.log.warning("message.kept", message_id=message.message_id, why=str(error))'
        "\n            return False",
        '            self._ports.log.warning("message.kept", message_id=message.message_id, why=str(error))'
        "\n            return True",
    ),
    Guard(
        "publish before acknowledge: an internal error counts as done",
        DURABLE,
        CALL_BATCH,
        '            self._ports.log.count("MessageFailed")\n            return False',
        '            self._ports.log.count("MessageFailed")\n            return True',
    ),
    Guard(
        "neighbours: one message fails the batch",
        "One message can neither fail nor delay its neighbours' verdicts.",
        CALL_BATCH,
        "        except Exception:\n",
        "        except ():\n",
    ),
    Guard(
        "last receive: a message that SQS gave up is called again",
        "A message on its last receive is reported without calling Stripe again, then parked.",
        CALL_BATCH,
        "last_receive=message.exhausted or message",
        "last_receive=message",
    ),
    Guard(
        "last receive: it calls Stripe once more",
        "A message on its last receive is reported without calling Stripe again, then parked.",
        GUARD_STEP,
        "    if call.receive.last_receive:",
        "    if False:",
    ),
    Guard(
        "last receive: a request that may have been sent continues as a copy",
        "A message on its last receive is reported without calling Stripe again, then parked.",
        GUARD_STEP,
        "    return call.receive.last_receive and unsent and progress",
        "    return call.receive.last_receive and progress",
    ),
    Guard(
        "last receive: the number of copies is unbounded",
        "A last receive without a send continues as a bounded number of copies.",
        GUARD_STEP,
        " and unsent and progress.fresh_starts < MOST_FRESH_STARTS",
        " and unsent",
    ),
    Guard(
        "deadline: attempts continue after it",
        "Retries go up to the request's deadline.",
        RETRY_RULES,
        "    if now_s >= progress.deadline_at:",
        "    if False:",
    ),
    Guard(
        "deadline: a wait reaches beyond it",
        "Retries go up to the request's deadline.",
        RETRY_RULES,
        "    if now_s + delay_s >= progress.deadline_at:",
        "    if False:",
    ),
    Guard(
        "deadline: calls run until the invocation is killed",
        "Requests in flight near the Lambda deadline are abandoned as unknown and deferred.",
        CALL,
        "asyncio.timeout(within_s)",
        "asyncio.timeout(None)",
        ("tests/model",),
    ),
    Guard(
        "deadline: a call starts with too little time left",
        NO_NEEDLESS_DOUBT,
        CALL,
        "    if call.time_left_s() < LEAST_CALL_S:",
        "    if False:",
    ),
    Guard(
        "Stripe-Should-Retry: the header is not read",
        "Stripe-Should-Retry decides first.",
        ATTEMPTS,
        '    should_retry = _flag(headers.get("stripe-should-retry"))',
        "    should_retry = None",
    ),
    Guard(
        "Stripe-Should-Retry: the table overrules it",
        "Stripe-Should-Retry decides first.",
        RETRY_RULES,
        "            return bool(said)",
        "            return status in _RETRIED_STATUSES",
        RETRY,
    ),
    Guard(
        "a kept 500 is retried until the deadline",
        "Stripe repeats a kept 500 on every retry, so a retry cannot end the doubt.",
        ATTEMPTS,
        "        retry = False if replayed and should_retry is None else should_retry",
        "        retry = should_retry",
    ),
    Guard(
        "key: a plaintext key is accepted",
        KEY,
        READ_MESSAGE,
        "    if place is not None:",
        "    if False:",
    ),
    Guard(
        "key: a key among the parameters is accepted",
        KEY,
        JSON_VALUES,
        "    return utf8 and MARK not in joined and not holds_key(joined)",
        "    return utf8 and MARK not in joined",
        ("tests/unit/schema",),
    ),
    Guard(
        "key: a key in another field of a request is accepted",
        KEY,
        SOURCE + "domain/credentials.py",
        "    if holds_key(value):",
        "    if False:",
    ),
    Guard(
        "key: an answer of Stripe is passed on unredacted",
        KEY,
        SOURCE + "domain/outcomes.py",
        '        for name in ("body", "stripe_request_id"):',
        '        for name in ("stripe_request_id",):',
    ),
    Guard(
        "key: the request id of Stripe's answer is passed on unredacted",
        KEY,
        SOURCE + "domain/outcomes.py",
        '        for name in ("body", "stripe_request_id"):',
        '        for name in ("body",):',
        ("tests/unit/services/test_call_batch.py",),
    ),
    Guard(
        "key: an error flow gets parameters that hold a key",
        KEY,
        READ_MESSAGE,
        "    shown: dict[str, Any] = redact_json(hide_card_data(object_name, params))",
        "    shown: dict[str, Any] = hide_card_data(object_name, params)",
    ),
    Guard(
        "key: the answers of AWS are logged",
        KEY,
        SOURCE + "adapters/aws/errors.py",
        "drop_bodies_of_aws()  #",
        "#",
        ("tests/unit/adapters/test_keyless_logs.py",),
    ),
    Guard(
        "key: a log line is written unredacted",
        KEY,
        SOURCE + "adapters/wide_lines.py",
        "    return redact(_encode(line))",
        "    return _encode(line)",
        ("tests/unit/adapters/test_keyless_logs.py",),
    ),
    Guard(
        "wire: a proxy that opens no tunnel makes the attempt unknown",
        NO_NEEDLESS_DOUBT,
        SOURCE + "adapters/stripe/client.py",
        "    aiohttp.ClientHttpProxyError,",
        "",
        ("tests/integration/adapters/test_stripe_through_a_proxy.py",),
    ),
    Guard(
        "web page: requests from another origin are accepted",
        NO_WEB_PAGE,
        SOURCE + "domain/web/web_pages.py",
        '    if origin is not None and origin != f"http://{host}":',
        "    if False:",
        ("tests/unit/local/test_web_pages.py",),
    ),
    Guard(
        "web page: a foreign host name is accepted",
        NO_WEB_PAGE,
        SOURCE + "domain/web/web_pages.py",
        "    if not is_loopback(_name(host)):",
        "    if False:",
        ("tests/unit/local/test_web_pages.py",),
    ),
    Guard(
        "web page: Sec-Fetch-Site is not checked",
        NO_WEB_PAGE,
        SOURCE + "domain/web/web_pages.py",
        '    if headers.get("sec-fetch-site") in _OF_ANOTHER_SITE:',
        "    if False:",
        ("tests/unit/local/test_web_pages.py",),
    ),
    Guard(
        "terminal: control characters in a table cell are printed",
        TERMINAL,
        SOURCE + "cli/tables.py",
        "    cells = [[printable(cell) for cell in row] for row in rows]",
        "    cells = [[str(cell) for cell in row] for row in rows]",
        ("tests/unit/cli/test_terminal.py",),
    ),
    Guard(
        "terminal: control characters in a line are printed",
        TERMINAL,
        SOURCE + "cli/terminal.py",
        "def say(line: object) -> None:\n    print(printable(line))",
        "def say(line: object) -> None:\n    print(line)",
        ("tests/unit/cli/test_terminal.py",),
    ),
    Guard(
        "tls: keys go to any address",
        OVER_TLS,
        PROTECTED_URLS,
        "    if not is_protected(url):",
        "    if False:",
        ("tests/unit/test_settings.py",),
    ),
    Guard(
        "tls: outcomes go to any Redis",
        OVER_TLS,
        PROTECTED_URLS,
        '    if not is_loopback(parts.hostname or "localhost"):',
        "    if False:",
        ("tests/unit/test_settings.py",),
    ),
    Guard(
        "mark: the caller's own pair is accepted",
        MARK,
        JSON_VALUES,
        "    if key == MARK:",
        "    if False:",
        ("tests/unit/schema",),
    ),
    Guard(
        "depth: a message with too many nested levels is read",
        NO_ENDLESS_WALK,
        READ_MESSAGE,
        "    unwritable = _fault_of_depth(fields) or _fault_of_numbers(fields)",
        "    unwritable = _fault_of_numbers(fields)",
    ),
    Guard(
        "numbers: a message of which no copy can be written is read",
        NO_ENDLESS_WALK,
        READ_MESSAGE,
        "    unwritable = _fault_of_depth(fields) or _fault_of_numbers(fields)",
        "    unwritable = _fault_of_depth(fields)",
        ("tests/unit/services/test_call_batch.py",),
    ),
    Guard(
        "context: an organisation's key is sent without an account",
        ACTS_IN_AN_ACCOUNT,
        SOURCE + "domain/credentials.py",
        "    if stripe_context is None and isinstance(credential, StripeKey) and credential.of_organisation:",
        "    if False:",
    ),
    Guard(
        "context: an organisation's named key is sent without an account",
        ACTS_IN_AN_ACCOUNT,
        CALL,
        "        check_acts_in_account(key, call.envelope.stripe_context)\n",
        "",
        ("tests/unit/services/test_call_stripe.py",),
    ),
    Guard(
        "key: the binding is not authenticated",
        KEY,
        SOURCE + "adapters/aws/sealing.py",
        "    return f\"[{', '.join(parts)}]\".encode()",
        '    return b""',
        VAULT,
    ),
    Guard(
        "key: a message is parked unredacted",
        KEY,
        CALL_BATCH,
        "            hide_card_data_in_text(redact(message.body)),\n",
        "            hide_card_data_in_text(message.body),\n",
    ),
    Guard(
        "follow-ups are sent after the acknowledgement",
        AFTER_THE_FLOW,
        RUN_TURN,
        "        await self._send_follow_ups(flow)\n"
        "        finish = partial(self._ports.inbox.finish, self._turn, take_next=not self._stop.holds())\n"
        "        following = await self._report(finish)\n",
        "        finish = partial(self._ports.inbox.finish, self._turn, take_next=not self._stop.holds())\n"
        "        following = await self._report(finish)\n"
        "        await self._send_follow_ups(flow)\n",
    ),
    Guard(
        "the end of a run is reported without a retry",
        "A run that returned does not run again because Redis was briefly unavailable.",
        RUN_TURN,
        "                if self._stop.holds() or clock.now_s() >= give_up_at:\n"
        "                    raise\n",
        "                raise\n",
    ),
    Guard(
        "context order: the lease is not checked (take_turns.lua)",
        IN_ORDER,
        LUA + "streams/take_turns.lua",
        "  if holder and holder ~= token then\n    return 0\n  end\n",
        "",
        REDIS_INBOX,
    ),
    Guard(
        "context order: any entry is the head (take_turns.lua)",
        IN_ORDER,
        LUA + "streams/take_turns.lua",
        "  if head ~= id then",
        "  if false then",
        REDIS_INBOX,
    ),
    Guard(
        "context order: the lease is not checked (twin)",
        IN_ORDER,
        INBOX_TWIN,
        "            and not self._is_leased(context)\n",
        "",
    ),
    Guard(
        "RetryLater counts as a failed run",
        "RetryLater postpones a run and does not count as a failure.",
        RUN_TURN,
        "                await self._postpone(after_s, Postponement.LATER)",
        "                await self._postpone(after_s, Postponement.FAILED)",
    ),
    Guard(
        "send: Stripe is called although Redis is unavailable",
        REDIS_FIRST,
        OPEN_SEND,
        "        await _take_back(call, send.token)\n"
        "        raise DeferCall(progress, str(error)) from error",
        "        return Go(asked_at, asked_at)",
    ),
    Guard(
        "wire: a lost connection counts as not sent",
        "A reset after sending makes the attempt unknown.",
        SOURCE + "adapters/stripe/client.py",
        "    if isinstance(error, NEVER_CONNECTED):",
        "    if isinstance(error, aiohttp.ClientConnectionError):",
        WIRE,
    ),
    Guard(
        "wire: a compressed answer without its end is read",
        "An answer that is cut off makes the attempt unknown.",
        SOURCE + "adapters/stripe/client.py",
        "        if not unpacker.eof:",
        "        if False:",
        WIRE,
    ),
    Guard(
        "proof: the horizon of other first sends does not count",
        PROOF,
        UNKNOWN_OUTCOMES,
        "max(max(self.firsts) + HORIZON_S, self.last_sent_at or 0.0)",
        "(self.entry.first_sent_at or 0.0) + HORIZON_S",
    ),
    Guard(
        "proof: the lookup window ends before a late attempt",
        PROOF,
        LOOKUPS,
        "int(max(known)) + LAST_CALL_S + CLOCKS_APART_S",
        "int(min(known)) + LAST_CALL_S + CLOCKS_APART_S",
    ),
    Guard(
        "proof: an expired slot counts as absence",
        PROOF,
        UNKNOWN_OUTCOMES,
        "        if unsent or self.forgotten or not self.firsts:",
        "        if unsent or not self.firsts:",
    ),
    Guard(
        "proof: a first send in the future is accepted",
        PROOF,
        READ_MESSAGE,
        "None if first_sent_at is None else min(first_sent_at, sent_at)",
        "first_sent_at",
    ),
    Guard(
        "proof: a declined payment counts as created",
        "A declined payment is published as declined, by an answer and by a lookup.",
        LOOKUPS,
        "if _is_declined(unknown.entry, body)",
        "if False",
    ),
    Guard(
        "deadline: an unavailable vault extends it",
        "A request is retried until its deadline.",
        GUARD_STEP,
        "    return may_send(progress, call.ports.clock.now_s(), asked.repeats.rule) or asked",
        "    return asked",
    ),
    Guard(
        "redrive: a request with a final status is sent back",
        "A final status means that the outcome was published, so it ends every receive.",
        REDRIVE,
        "    if state is not None and state.final:",
        "    if False:",
    ),
    Guard(
        "redrive: an empty slot proves that nothing was sent",
        LATCH,
        REDRIVE,
        "        return _plan_sent(_in_doubt(read, parked), claim, state, now_s, deadline_s)",
        "        return _plan_sent(read, claim, state, now_s, deadline_s)",
    ),
    Guard(
        "redrive: a request of an unproven principal is handed over",
        "Before a principal is proven, nothing is written for it and no flow runs.",
        REDRIVE,
        "    return claim.principal == QUEUE or (state is not None and state.proves(claim))",
        "    return True",
    ),
    Guard(
        "redrive: a send that only the message records is not handed over",
        "Redrive and reconcile never leave a request to each other.",
        REDRIVE,
        'state.status == "unknown" and state.first_sent_at is not None',
        'state.status == "unknown"',
    ),
    Guard(
        "redrive: a copy of a request that was handed over may be sent",
        HORIZON,
        SOURCE + "services/redrive_message.py",
        "    await ports.requests.claim(claim)\n",
        "",
    ),
    Guard(
        "redrive: a message that fails ends the redrive",
        "No redrive ends at one bad message.",
        SOURCE + "services/redrive.py",
        '            return [self._report_failure(parked, read, f"internal: {type(error).__name__}")]',
        "            raise",
    ),
    Guard(
        "proof: a lookup in another account counts",
        "Under another account binding nothing is POSTed and no lookup proves anything.",
        LOOKUPS,
        "    if sent_to is None or sent_to.same_as(looked_in):",
        "    if True:",
    ),
    Guard(
        "proof: an operator's account overrules Stripe's",
        "Under another account binding nothing is POSTed and no lookup proves anything.",
        LOOKUPS,
        "    if _contradicts(sent_to, looked_in):",
        "    if False:",
    ),
    Guard(
        "proof: the lookup window ignores clock differences",
        PROOF,
        SOURCE + "domain/operators/lookup_results.py",
        "CLOCKS_APART_S = 900",
        "CLOCKS_APART_S = 0",
    ),
    Guard(
        "proof: absence counts while the clocks disagree",
        PROOF,
        LOOKUPS,
        "    if abs(answered_at - now_s) > CLOCKS_APART_S:",
        "    if False:",
    ),
    Guard(
        "proof: absence counts although Stripe sent no Date",
        PROOF,
        LOOKUPS,
        "    if answered_at is None:",
        "    answered_at = now_s if answered_at is None else answered_at\n    if False:",
    ),
    Guard(
        "proof: a slot that still allows a send proves absence",
        PROOF,
        UNKNOWN_OUTCOMES,
        "        if unsent or self.forgotten or not self.firsts:",
        "        if self.forgotten or not self.firsts:",
    ),
    Guard(
        "proof: an intent in confirmation counts as a success",
        "A lookup settles only with an object in a state that its operation's row calls complete.",
        LOOKUPS,
        "    return not (_confirms(entry) and unconfirmed and not failed)",
        "    return True",
    ),
    Guard(
        "proof: the clock is read after the lookup",
        PROOF,
        SOURCE + "services/looks/settle.py",
        "    decided = decide(unknown, result, began_at)",
        "    decided = decide(unknown, result, ports.clock.now_s())",
    ),
    Guard(
        "account: a proxy's 403 counts as Stripe's",
        "Only a 403 from Stripe means that the key may not ask for its account.",
        STRIPE_ACCOUNTS_CODE,
        "    if isinstance(attempt, RefusedInFront) and attempt.http_status == FORBIDDEN:",
        "    if response.status_code == FORBIDDEN:",
        STRIPE_ACCOUNTS,
    ),
    Guard(
        "proof: a list without has_more counts as complete",
        PROOF,
        LISTS,
        "    if page.has_more is False:",
        "    if page.has_more is not True or not page.objects:",
        STRIPE_LISTS,
    ),
    Guard(
        "proof: objects on a test clock are not listed",
        PROOF,
        LISTS,
        "for name in () if _is_live(key) else listing.clocked_by:",
        "for name in ():",
        STRIPE_LISTS,
    ),
    Guard(
        "follow-ups of an unknown outcome and of the settled one are one request",
        "The follow-ups of two flows are two requests, and each has its effect.",
        SOURCE + "domain/identity/request_ids.py",
        "    outcome = () if kind is OutcomeKind.SETTLED else (kind.value,)",
        "    outcome = ()",
    ),
    Guard(
        "under load a runner never takes postponed entries",
        "Every outcome's flow runs.",
        RUN_FLOWS,
        "for take in reversed(asked) if abandoned_first else asked:",
        "for take in asked:",
    ),
    Guard(
        "way in: another body under a used key is accepted",
        ONE_KEY,
        ACCEPT,
        "    if not state.owned:",
        "    if False:",
        WAY_IN,
    ),
    Guard(
        "way in: a key is accepted without a claim",
        ONE_KEY,
        ACCEPT,
        "    return error if item.request.idempotency_key else item",
        "    return item",
        WAY_IN,
    ),
    Guard(
        "way in: a key means the same to every tenant",
        ONE_KEY,
        ACCEPT,
        "key_space(principal.tenant, self._queue_tenant)",
        'key_space("", "")',
        WAY_IN,
    ),
    Guard(
        "way in: a message that the queue refused counts as queued",
        THREE_ANSWERS,
        ACCEPT,
        "[item for item in by_id.values() if item.request_id not in failures]",
        "list(by_id.values())",
        WAY_IN,
    ),
    Guard(
        "way in: a lost answer is reported as a refusal",
        THREE_ANSWERS,
        ACCEPT,
        "    maybe = isinstance(error, MaybeAccepted)",
        "    maybe = False",
        WAY_IN,
    ),
    Guard(
        "way in: only a request with a caller's key is claimed",
        "A key that the API makes is claimed for its request before a client receives it.",
        ACCEPT,
        "        ready = [item for item in prepared if isinstance(item, _Ready)]",
        "        return prepared",
        WAY_IN,
    ),
    Guard(
        "status: a request id may name another tenant's slot",
        OWN_TENANT,
        SOURCE + "services/status.py",
        '    if " " in request_id:',
        "    if False:",
        WAY_IN,
    ),
    Guard(
        "answer: the number of errors is unbounded",
        BOUNDED_ANSWER,
        "functions/paydispatch/handlers/api/budget.py",
        "        if room_bytes < 0:",
        "        if False:",
        WAY_IN,
    ),
    Guard(
        "answer: the length of a text is unbounded",
        BOUNDED_ANSWER,
        "functions/paydispatch/handlers/api/budget.py",
        "    if size_in_answer(text) - _QUOTES <= most_bytes:",
        "    if True:",
        WAY_IN,
    ),
    Guard(
        "flow: a follow-up's key ignores the tenant",
        ONE_KEY,
        SOURCE + "flow.py",
        "key_space(self.tenant, self._queue_tenant)",
        'key_space("", "")',
        FLOW,
    ),
    Guard(
        "submit: an equal line of another run is the same request",
        "The keys of a file's lines contain their run.",
        SOURCE + "domain/submission/line_keys.py",
        'f"{self._run}\\n{self._places[same]}\\n{text}"',
        'f"{self._places[same]}\\n{text}"',
        SUBMIT,
    ),
    Guard(
        "submit: lines are handed over before the ledger has them",
        ONE_LINE,
        SOURCE + "services/submission/hand_over.py",
        "        self._ledger.make_durable()\n        for line in block:\n            self._hand_over(line)",
        "        for line in block:\n            self._hand_over(line)\n        self._ledger.make_durable()",
        SUBMIT,
    ),
    Guard(
        "submit: a changed line is a second request",
        ONE_LINE,
        SOURCE + "cli/submission/submission.py",
        "        ledger.check_unchanged(found.changed)",
        "        pass",
        SUBMIT,
    ),
    Guard(
        "submit: a removed line is not noticed",
        ONE_LINE,
        SOURCE + "services/submission/survey.py",
        "    yield from (entry.line or 0 for key, entry in entries.items() if key not in seen)",
        "    return",
        SUBMIT,
    ),
    Guard(
        "submit: a refusal after a kill forgets a line that was perhaps accepted",
        ONE_LINE,
        SOURCE + "cli/submission/ledger.py",
        "        if self.entries[key].in_doubt:",
        "        if False:",
        SUBMIT,
    ),
    Guard(
        "submit: a line whose key is forgotten is handed over again",
        ONE_LINE,
        SOURCE + "services/submission/hand_over.py",
        "self._clock.now_s() - entry.begun_at >= FORGOTTEN_S",
        "False",
        SUBMIT,
    ),
    Guard(
        "submit: a line with null for its key has another id after a kill",
        ONE_LINE,
        SOURCE + "services/submission/read_requests.py",
        "        key = made_key if given is None else given",
        '        key = line.fields.get("idempotency_key", made_key)',
        SUBMIT,
    ),
    Guard(
        "submit: two submissions of one file start two runs",
        "The keys of a file's lines contain their run.",
        SOURCE + "cli/submission/ledger.py",
        "            _lock(self._file, self._path)",
        "            pass",
        SUBMIT,
    ),
    Guard(
        "submit: a run continues under another run's ledger",
        "The keys of a file's lines contain their run.",
        SOURCE + "cli/submission/ledger.py",
        "        if self._wanted_run not in (None, run):",
        "        if False:",
        SUBMIT,
    ),
    Guard(
        "mark: it is not added",
        MARK,
        MARKS,
        '    return {**params, "metadata": {**metadata, MARK: request_id}}',
        "    return dict(params)",
    ),
    Guard(
        "mark: a 51st pair is added",
        "The mark never raises a request above Stripe's limit of fifty metadata pairs.",
        MARKS,
        "len(metadata) >= METADATA_LIMIT",
        "len(metadata) > METADATA_LIMIT",
    ),
    Guard(
        "failover: a replica's answer is accepted",
        RIGHT_NODE,
        WRONG_NODE,
        "    return code in _CODES or any(part in text for part in _IN_A_SCRIPT)",
        "    return False",
        REDIS_FAILOVER,
    ),
    Guard(
        "failover: the other connections stay with the old primary",
        RIGHT_NODE,
        WRONG_NODE,
        "            await self.disconnect(inuse_connections=False)",
        "            pass",
        REDIS_FAILOVER,
    ),
    Guard(
        "failover: a sweep only reads (take_due.lua)",
        RIGHT_NODE,
        LUA + "streams/take_due.lua",
        "redis.call('ZREM', KEYS[1], '') --",
        "--",
        REDIS_FAILOVER,
    ),
    Guard(
        "failover: a look at the keys of workers only reads",
        RIGHT_NODE,
        SOURCE + "adapters/redis/streams/looks.py",
        '        pipe.zrem(keys.LOOKS, "")',
        '        pipe.zscore(keys.LOOKS, "")',
        REDIS_FAILOVER,
    ),
    Guard(
        "pipelines: an error of one request is the error of none",
        OWN_RESULT,
        SOURCE + "adapters/redis/shared_pipelines.py",
        "            if isinstance(answer, ERRORS):",
        "            if False:",
        SHARED_PIPELINES,
    ),
    Guard(
        "pipelines: a script that the server does not know is not run",
        OWN_RESULT,
        SOURCE + "adapters/redis/shared_pipelines.py",
        "        if new := [group for group in groups if group.cut(is_of_unknown_script)]:",
        "        if new := []:",
        SHARED_PIPELINES,
    ),
    Guard(
        "pipelines: equal commands that are no notes run once",
        OWN_RESULT,
        SOURCE + "adapters/redis/shared_pipelines.py",
        "            if isinstance(command, Note):",
        "            if True:",
        SHARED_PIPELINES,
    ),
    Guard(
        "eviction: every policy is accepted",
        NO_EVICTION,
        SOURCE + "adapters/redis/eviction.py",
        "        if policy is not None and not self._allowed:",
        "        if False:",
        REDIS_EVICTION,
    ),
    Guard(
        "doorbell: a user without rights to it publishes nothing (publish.lua)",
        BELL,
        LUA + "streams/publish.lua",
        "redis.pcall('PUBLISH'",
        "redis.call('PUBLISH'",
        REDIS_USER,
    ),
    Guard(
        "sweep: a note that comes during a look is lost (move_on.lua)",
        FOUND,
        LUA + "streams/move_on.lua",
        "  if not score or tonumber(score) == tonumber(ARGV[at + 1]) then",
        "  if true then",
        REDIS_SWEEP,
    ),
    Guard(
        "sweep: a worker is forgotten at the first look after its note",
        FOUND,
        SOURCE + "domain/sweep.py",
        "        return now_s + GRACE_S if noted else None",
        "        return None",
        REDIS_SWEEP,
    ),
    Guard(
        "sweep: the due time of a postponed flow is not noted",
        FOUND,
        SOURCE + "adapters/redis/streams/inbox.py",
        "            note_due(pipe, worker_id, due_ms)",
        "            pipe.zscore(keys.LOOKS, worker_id)",
        REDIS_SWEEP,
    ),
    Guard(
        "sweep: a worker that was taken once is forgotten (take_due.lua)",
        FOUND,
        LUA + "streams/take_due.lua",
        "  redis.call('ZADD', KEYS[1], ARGV[3], due[at])",
        "  redis.call('ZREM', KEYS[1], due[at])",
        REDIS_SWEEP,
    ),
    Guard(
        "way in: a later refusal hides a lost answer (SQS)",
        THREE_ANSWERS,
        SQS_SENDS,
        "            in_doubt = in_doubt or not certainly_not_done(failure)",
        "            in_doubt = not certainly_not_done(failure)",
        SQS_ANSWERS,
    ),
    Guard(
        "way in: a message that SQS does not list counts as refused",
        THREE_ANSWERS,
        SQS_SENDS,
        '"the answer does not name a message", in_doubt=True)',
        '"the answer does not name a message", in_doubt=in_doubt)',
        SQS_ANSWERS,
    ),
    Guard(
        "way in: botocore may repeat a send and hide a lost answer",
        THREE_ANSWERS,
        SQS_SENDS,
        '        if (config.retries or {}).get("total_max_attempts") != 1:',
        "        if False:",
        SQS_ANSWERS,
    ),
    Guard(
        "way in: an item without a status is accepted for its request id",
        THREE_ANSWERS,
        SOURCE + "adapters/http_results.py",
        '    if status is None and "error" not in item and "request_id" in item:',
        '    if "request_id" in item:',
        HTTP_ANSWERS,
    ),
    Guard(
        "way in: a later refusal hides a lost answer (Sender)",
        THREE_ANSWERS,
        SENDER,
        "        self.in_doubt = self.in_doubt or isinstance(error, MaybeAccepted)",
        "        self.in_doubt = isinstance(error, MaybeAccepted)",
        SDK,
    ),
    Guard(
        "way in: a request that is dispatched again counts as never sent",
        THREE_ANSWERS,
        DISPATCHER,
        "in_doubt=isinstance(failure, MaybeAccepted))",
        "in_doubt=False)",
        SDK,
    ),
    Guard(
        "way in: a request for the API goes to the queue with a clear key",
        KEY,
        DISPATCHER,
        "            if prepared.way != self._delivery.way:",
        "            if False:",
        SDK,
    ),
    Guard(
        "close: a request in flight counts as refused",
        STOPPED_FIRST,
        SENDER,
        "            for pending in self._offered:",
        "            for pending in ():",
        SDK,
    ),
    Guard(
        "close: a late answer changes a reported result",
        STOPPED_FIRST,
        SENDER,
        "            if self._over.is_set():\n                return []  # too late",
        "            if False:\n                return []  # too late",
        SDK,
    ),
    Guard(
        "close: a request after the end is waited for",
        STOPPED_FIRST,
        SENDER,
        "        if self._over.is_set():\n            self._end()  # again",
        "        if False:\n            self._end()  # again",
        SDK,
    ),
    Guard(
        "fork: a child puts its requests into the parent's buffer",
        OWN_DISPATCHER,
        DISPATCHER,
        "        sender, self._sender = self._sender, None\n        self._delivery.forget_clients()",
        "        sender = self._sender\n        self._delivery.forget_clients()",
        FORKS,
    ),
    Guard(
        "fork: a child waits for the parent's receipts",
        OWN_DISPATCHER,
        DISPATCHER,
        "        for receipt in sender.undelivered_receipts() if sender else ():",
        "        for receipt in ():",
        FORKS,
    ),
    Guard(
        "exit: a program that does not close drops its requests",
        OWN_DISPATCHER,
        SOURCE + "sdk/process.py",
        "    atexit.register(function)",
        "    _ = atexit.register",
        FORKS,
    ),
    Guard(
        "exit: a child of multiprocessing drops its requests",
        OWN_DISPATCHER,
        SOURCE + "sdk/process.py",
        "        Finalize(None, function, exitpriority=0)",
        "        _ = Finalize",
        FORKS,
    ),
    Guard(
        "bounds: each batch waits anew for an unavailable SQS",
        ONE_WAIT,
        SQS_SENDS,
        "        if time.monotonic() >= until:",
        "        if False:",
        SQS_ANSWERS,
    ),
    Guard(
        "bounds: each item of a batch calls the unavailable KMS",
        ONE_WAIT,
        SOURCE + "adapters/aws/kms.py",
        "        if failed_at is not None and self._clock.now_s() - failed_at < FAIL_FAST_S:",
        "        if False:",
        VAULT,
    ),
    Guard(
        "tenant: a turn is stored under its entry's bare worker name",
        EVERY_TENANT,
        SOURCE + "adapters/redis/streams/finished_turns.py",
        "await self._eval(worker_id, [turn for turn, _ in batch], take_next)",
        "await self._eval(batch[0][0].entry.worker_id, [turn for turn, _ in batch], take_next)",
        REDIS_INBOX,
    ),
    *CONSOLE_GUARDS,
    *DERIVED_GUARDS,
    *EVENT_GUARDS,
    *OUTCOME_GUARDS,
    *IDENTITY_GUARDS,
    *FLOW_GUARDS,
    *RETRY_GUARDS,
    *RERUN_GUARDS,
    *LOOK_GUARDS,
    *OPERATION_GUARDS,
    *RATE_GUARDS,
    *REPEAT_GUARDS,
    *PARAMETER_GUARDS,
    *REPLAY_GUARDS,
    *OPERATOR_GUARDS,
    *VERSION_GUARDS,
    *WAY_IN_GUARDS,
    *TWIN_GUARDS,
)

"""The guards, each with the edit that breaks it and the sentence of the promise that it would break."""

from __future__ import annotations

from flow_guards import FLOW_GUARDS
from guard import LATCH, LUA, SOURCE, Guard
from identity_guards import IDENTITY_GUARDS

RETRY = ("tests/unit/domain/test_retry.py", "tests/unit/domain/test_retry_table.py")
REDIS_OUTCOMES = ("tests/integration/adapters/test_outcome_stream.py",)
REDIS_INBOX = (
    "tests/integration/adapters/test_flow_inbox.py",
    "tests/integration/adapters/test_redis_inbox.py",
)
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
SUBMIT = ("tests/unit/cli/test_submit.py",)
WIRE = ("tests/integration/adapters/test_stripe_http.py",)

ATTEMPTS = SOURCE + "domain/attempts.py"
CALL = SOURCE + "services/call_stripe.py"
CONCLUDE = SOURCE + "services/conclude_call.py"
CALL_BATCH = SOURCE + "services/call_batch.py"
ENVELOPE = SOURCE + "domain/envelope.py"
JSON_VALUES = SOURCE + "domain/parameters/json_values.py"
PROTECTED_URLS = SOURCE + "domain/protected_urls.py"
LISTS = SOURCE + "adapters/stripe/lists.py"
MARKS = SOURCE + "domain/marks.py"
MEMORY = SOURCE + "testing/memory.py"
WRONG_NODE = SOURCE + "adapters/redis/wrong_node.py"
RETRY_RULES = SOURCE + "domain/retry.py"
PROGRESS = SOURCE + "domain/progress.py"
REDRIVE = SOURCE + "domain/redrive.py"
STRIPE_ACCOUNTS_CODE = SOURCE + "adapters/stripe/accounts.py"
UNKNOWN_OUTCOMES = SOURCE + "domain/unknown_outcomes.py"
RUN_FLOWS = SOURCE + "services/run_flows.py"
ACCEPT = SOURCE + "services/accept.py"
SENDER = SOURCE + "sdk/sender.py"
DISPATCHER = SOURCE + "sdk/dispatcher.py"
SQS_SENDS = SOURCE + "adapters/aws/sqs_sends.py"


HORIZON = "Past 23 h nothing is POSTed again under the old key."
ONCE = "Set the seen-mark if absent, and only then append."
DURABLE = "Nothing is done before what replaces the message is durable."
BEFORE_PARKING = "Giving up publishes the error first and parks the message second."
REDIS_FIRST = "Stripe is never called when the outcome could not be published anyway."
KEY = "The key is in no queue, stream or log, and opens for its own conversation alone."
PROOF = "Absence is proof only where every POST may have been looked for, and none can follow."
NO_NEEDLESS_DOUBT = "Only a call that was made can leave a doubt."
MARK = "By our mark an unknown attempt is found again."
NO_ENDLESS_WALK = "No walk ends at one bad message, and each has its outcome."
OVER_TLS = "Keys and outcomes leave the machine over TLS alone."
NO_WEB_PAGE = "No web page reaches what runs on this machine."
TERMINAL = "What others wrote controls no operator's terminal."
ACTS_IN_AN_ACCOUNT = "A key of an organisation names the account it acts in on every call."
ONE_KEY = "One key of a tenant is one request, by every way in."
THREE_ANSWERS = "The way in has three answers: accepted, refused, and unknown."
STOPPED_FIRST = "A receipt is never called lost while it can still arrive."
OWN_DISPATCHER = "A fork gets a Dispatcher of its own, and no program drops a request silently."
ONE_WAIT = "One failure that many share is waited for once."
OWN_TENANT = "A request and its status belong to its tenant alone."
BOUNDED_ANSWER = "No answer grows over what Lambda carries."
IN_ORDER = "Flows of one context run in order."
RIGHT_NODE = "After a failover the next try finds the new primary."
NO_EVICTION = "A Redis that can evict a guard is refused."
EVERY_TENANT = "The flows of every tenant's workers run."
BELL = "A doorbell never fails an outcome."
FOUND = "What a lost bell left is found by a sweep, however many workers there are."
AFTER_THE_FLOW = "The runner acknowledges after the flow returned and what it dispatched is queued."

GUARDS = (
    Guard(
        "latch: a refusal is told in doubt as well",
        LATCH,
        PROGRESS,
        "        return Certainty.UNKNOWN if self.maybe_executed else Certainty.NOT_CREATED",
        "        return Certainty.NOT_CREATED",
    ),
    Guard(
        "latch: an unknown attempt raises no doubt",
        LATCH,
        RETRY_RULES,
        "    return isinstance(attempt, Unknown)\n",
        "    return False\n",
    ),
    Guard(
        "latch: what the message says is not carried on",
        LATCH,
        RETRY_RULES,
        "maybe_executed=progress.maybe_executed or raises_doubt(attempt)",
        "maybe_executed=raises_doubt(attempt)",
    ),
    Guard(
        "latch: what earlier receives left is ignored",
        LATCH,
        RETRY_RULES,
        "        maybe_executed=progress.maybe_executed or state.in_doubt,",
        "        maybe_executed=progress.maybe_executed,",
    ),
    Guard(
        "latch: a key in use elsewhere raises no doubt",
        LATCH,
        RETRY_RULES,
        '        return in_use or attempt.error.get("type") == "idempotency_error"',
        "        return False",
    ),
    Guard(
        "latch: a response that could not be published leaves no doubt",
        LATCH,
        CONCLUDE,
        "    with defer_if_unavailable(progress_for_copy(progress, outcome)):\n        first",
        "    with defer_if_unavailable(progress):\n        first",
    ),
    Guard(
        "latch: a parked message forgets its doubt",
        LATCH,
        CONCLUDE,
        "        await _park(call, progress_for_copy(progress, decision.outcome), decision.outcome)",
        "        await _park(call, progress, decision.outcome)",
    ),
    Guard(
        "latch: a call cut off with its invocation raises no doubt",
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
        "horizon: the first sending does not travel",
        HORIZON,
        ENVELOPE,
        '    first_sent_at = fields.get("first_sent_at")',
        "    first_sent_at = None",
    ),
    Guard(
        "seen-mark: always append (twin)",
        ONCE,
        MEMORY,
        '        if self.marks.get(key) in (mark, "settled"):\n            return False\n',
        "",
    ),
    Guard(
        "seen-mark: always append (publish.lua)",
        ONCE,
        LUA + "publish.lua",
        "if mark == 'settled' or mark == ARGV[1] then\n  return false\nend",
        "",
        REDIS_OUTCOMES,
    ),
    Guard(
        "publish before park: parked first",
        BEFORE_PARKING,
        CONCLUDE,
        "    await publish_outcome(call, progress, outcome)\n"
        "    if isinstance(decision, GivenUp):\n"
        "        await _park(call, progress_for_copy(progress, decision.outcome), decision.outcome)\n",
        "    if isinstance(decision, GivenUp):\n"
        "        await _park(call, progress_for_copy(progress, decision.outcome), decision.outcome)\n"
        "    await publish_outcome(call, progress, outcome)\n",
    ),
    Guard(
        "publish before park: an unknown outcome is not parked",
        "A request that ended unknown is parked for an operator.",
        CONCLUDE,
        "    await publish_outcome(call, progress, outcome)\n    if isinstance(decision, GivenUp):\n",
        "    await publish_outcome(call, progress, outcome)\n    if False:\n",
    ),
    Guard(
        "publish before acknowledge: a store away counts as done",
        DURABLE,
        CALL,
        "        await defer_for_store(call, deferral)",
        "        del deferral",
    ),
    Guard(
        "publish before acknowledge: a queue away counts as done",
        DURABLE,
        CALL_BATCH,
        '            self._ports.log.warning("message.kept", message_id=message.message_id, why=str(error))'
        "\n            return False",
        '            self._ports.log.warning("message.kept", message_id=message.message_id, why=str(error))'
        "\n            return True",
    ),
    Guard(
        "publish before acknowledge: a fault of ours counts as done",
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
        "last receive: it calls Stripe once more",
        "A message on its last receive is reported without calling Stripe again, then parked.",
        CALL,
        "    if call.receive.last_receive:",
        "    if False:",
    ),
    Guard(
        "last receive: what may have been sent goes on as a copy",
        "A message on its last receive is reported without calling Stripe again, then parked.",
        CALL,
        "    return call.receive.last_receive and unsent and progress",
        "    return call.receive.last_receive and progress",
    ),
    Guard(
        "last receive: there is no end of copies",
        "A last receive without a send goes on as a bounded number of copies.",
        CALL,
        " and unsent and progress.fresh_starts < MOST_FRESH_STARTS",
        " and unsent",
    ),
    Guard(
        "deadline: attempts go on after it",
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
        "deadline: calls are left to be killed with the invocation",
        "Requests in flight near the Lambda deadline are abandoned as unknown and deferred.",
        CALL,
        "asyncio.timeout(within_s)",
        "asyncio.timeout(None)",
        ("tests/model",),
    ),
    Guard(
        "deadline: a call is begun that can only be abandoned",
        NO_NEEDLESS_DOUBT,
        CALL,
        "    if call.time_left_s() < LEAST_CALL_S:",
        "    if False:",
    ),
    Guard(
        "Stripe's word: Stripe-Should-Retry is ignored",
        "Stripe-Should-Retry decides first.",
        ATTEMPTS,
        '    should_retry = _flag(headers.get("stripe-should-retry"))',
        "    should_retry = None",
    ),
    Guard(
        "Stripe's word: it does not overrule the table",
        "Stripe-Should-Retry decides first.",
        RETRY_RULES,
        "            return bool(said)",
        "            return status in _RETRIED_STATUSES",
        RETRY,
    ),
    Guard(
        "a kept 500 is retried until the deadline",
        "A kept 500 comes back on every retry: asking again cannot end the doubt.",
        ATTEMPTS,
        "        retry = False if replayed and should_retry is None else should_retry",
        "        retry = should_retry",
    ),
    Guard(
        "key: a plaintext key is accepted",
        KEY,
        ENVELOPE,
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
        "key: an answer of Stripe's is passed on as it came",
        KEY,
        SOURCE + "domain/outcomes.py",
        '        object.__setattr__(self, "body", redact_json(self.body))',
        '        object.__setattr__(self, "body", self.body)',
    ),
    Guard(
        "key: an error flow sees the parameters that hold a key",
        KEY,
        ENVELOPE,
        "    shown: dict[str, Any] = redact_json(params)",
        "    shown: dict[str, Any] = params",
    ),
    Guard(
        "key: a debug mode prints every event",
        KEY,
        "functions/paydispatch/handlers/api/handler.py",
        "        routes = APIGatewayHttpResolver(debug=False)",
        "        routes = APIGatewayHttpResolver()",
        ("tests/integration/test_debug_modes.py",),
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
        "key: a log line is written as it came",
        KEY,
        SOURCE + "adapters/event_log.py",
        '    return redact(json.dumps(line, default=safe_text, separators=(",", ":")))',
        '    return json.dumps(line, default=safe_text, separators=(",", ":"))',
        ("tests/unit/adapters/test_keyless_logs.py",),
    ),
    Guard(
        "wire: a proxy that makes no tunnel leaves a doubt",
        NO_NEEDLESS_DOUBT,
        SOURCE + "adapters/stripe/gateway.py",
        "    aiohttp.ClientHttpProxyError,",
        "",
        ("tests/integration/adapters/test_stripe_through_a_proxy.py",),
    ),
    Guard(
        "web page: its requests are taken",
        NO_WEB_PAGE,
        SOURCE + "domain/web_pages.py",
        '    if origin is not None and origin != f"http://{host}":',
        "    if False:",
        ("tests/unit/local/test_web_pages.py",),
    ),
    Guard(
        "web page: a foreign name leads here",
        NO_WEB_PAGE,
        SOURCE + "domain/web_pages.py",
        "    if not is_loopback(_name(host)):",
        "    if False:",
        ("tests/unit/local/test_web_pages.py",),
    ),
    Guard(
        "web page: a browser's own word is not read",
        NO_WEB_PAGE,
        SOURCE + "domain/web_pages.py",
        '    if headers.get("sec-fetch-site") in _OF_ANOTHER_SITE:',
        "    if False:",
        ("tests/unit/local/test_web_pages.py",),
    ),
    Guard(
        "terminal: a cell is shown as it came",
        TERMINAL,
        SOURCE + "cli/tables.py",
        "        table.add_row(*map(printable, row))",
        "        table.add_row(*row)",
        ("tests/unit/cli/test_terminal.py",),
    ),
    Guard(
        "terminal: a line is shown as it came",
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
        "mark: a caller's own pair is believed",
        MARK,
        JSON_VALUES,
        "    if key == MARK:",
        "    if False:",
        ("tests/unit/schema",),
    ),
    Guard(
        "depth: a message without an end is read",
        NO_ENDLESS_WALK,
        ENVELOPE,
        "    if too_deep is not None:",
        "    if False:",
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
        "    return json.dumps([binding.principal, binding.worker_id, binding.context_id]).encode()",
        '    return b""',
        VAULT,
    ),
    Guard(
        "key: parked as it came",
        KEY,
        CALL_BATCH,
        "            redact(message.body), reason=malformed.code, kind=ErrorKind.DISPATCHER\n",
        "            message.body, reason=malformed.code, kind=ErrorKind.DISPATCHER\n",
    ),
    Guard(
        "follow-ups are sent after the acknowledgement",
        AFTER_THE_FLOW,
        RUN_FLOWS,
        "        await self._send_follow_ups(turn, flow, until)\n"
        "        finish = partial(self._ports.inbox.finish, turn, take_next=not self._over(until))\n"
        "        following = await self._heard(finish, until)\n",
        "        finish = partial(self._ports.inbox.finish, turn, take_next=not self._over(until))\n"
        "        following = await self._heard(finish, until)\n"
        "        await self._send_follow_ups(turn, flow, until)\n",
    ),
    Guard(
        "the end of a run is told only once",
        "A run that returned is not made again because Redis was away for a moment.",
        RUN_FLOWS,
        "                if self._over(until) or self._ports.clock.now_s() >= give_up_at:\n"
        "                    raise\n",
        "                raise\n",
    ),
    Guard(
        "context order: the lease is not looked at (take_turn.lua)",
        IN_ORDER,
        LUA + "take_turn.lua",
        "if holder and holder ~= ARGV[2] then\n  return 0\nend",
        "",
        REDIS_INBOX,
    ),
    Guard(
        "context order: any entry is the head (take_turn.lua)",
        IN_ORDER,
        LUA + "take_turn.lua",
        "if head ~= ARGV[1] then",
        "if false then",
        REDIS_INBOX,
    ),
    Guard(
        "context order: the lease is not looked at (twin)",
        IN_ORDER,
        MEMORY,
        "            and not self._leased(context)\n",
        "",
    ),
    Guard(
        "RetryLater counts as a failed run",
        "RetryLater is later, not a failure.",
        RUN_FLOWS,
        "                await self._postpone(turn, after_s, until, counted=False)",
        "                await self._postpone(turn, after_s, until, counted=True)",
    ),
    Guard(
        "send: Stripe is called although Redis is away",
        REDIS_FIRST,
        CALL,
        "        await _take_back(call, send.token)\n"
        "        raise DeferCall(progress, str(error)) from error",
        "        return Go(asked_at, asked_at)",
    ),
    Guard(
        "wire: httpx's ConnectTimeout counts as not sent",
        "Reset after sending is unknown.",
        SOURCE + "adapters/stripe/gateway.py",
        "    if isinstance(cause, aiohttp.ClientError):",
        "    if False:",
        WIRE,
    ),
    Guard(
        "proof: the others' horizon does not count",
        PROOF,
        UNKNOWN_OUTCOMES,
        "max(max(self.firsts) + HORIZON_S, self.last_sent_at or 0.0)",
        "(self.entry.first_sent_at or 0.0) + HORIZON_S",
    ),
    Guard(
        "proof: a late attempt is not looked for",
        PROOF,
        UNKNOWN_OUTCOMES,
        "int(max(known)) + LAST_CALL_S + CLOCKS_APART_S",
        "int(min(known)) + LAST_CALL_S + CLOCKS_APART_S",
    ),
    Guard(
        "proof: what was forgotten counts as absent",
        PROOF,
        UNKNOWN_OUTCOMES,
        "        if unsent or self.forgotten or not self.firsts:",
        "        if unsent or not self.firsts:",
    ),
    Guard(
        "proof: a first POST in the future is believed",
        PROOF,
        ENVELOPE,
        "None if first_sent_at is None else min(first_sent_at, sent_at)",
        "first_sent_at",
    ),
    Guard(
        "proof: a declined payment counts as created",
        "What was declined is told as declined, whichever way the answer comes.",
        UNKNOWN_OUTCOMES,
        "if _is_declined(end.entry, body)",
        "if False",
    ),
    Guard(
        "deadline: a vault that stays away outlasts it",
        "A request is tried up to its deadline.",
        CALL,
        "    refusal = _guard(call, progress)\n    if refusal is not None:\n",
        "    refusal = _guard(call, progress)\n    if False:\n",
    ),
    Guard(
        "redrive: a request that was told is sent back",
        "A final status means that the end was told: it ends every delivery.",
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
        "redrive: what no record proves is handed over",
        "Before a principal is proven nothing is written for it and no flow runs.",
        REDRIVE,
        "    return claim.principal == QUEUE or (state is not None and state.proves(claim))",
        "    return True",
    ),
    Guard(
        "redrive: what only the message knows of a send is not handed over",
        "Redrive and reconcile never leave a request to each other.",
        REDRIVE,
        'state.status == "unknown" and state.first_sent_at is not None',
        'state.status == "unknown"',
    ),
    Guard(
        "redrive: a copy of what was handed over may be sent",
        HORIZON,
        SOURCE + "services/redrive.py",
        "        await self._ports.requests.claim(claim)\n",
        "",
    ),
    Guard(
        "redrive: a message that fails ends the walk",
        "No walk ends at one bad message.",
        SOURCE + "services/redrive.py",
        '            return [self._failed(parked, read, f"internal: {type(error).__name__}")]',
        "            raise",
    ),
    Guard(
        "proof: a look in another account counts",
        "Under another binding nothing is POSTed, and no look proves anything.",
        UNKNOWN_OUTCOMES,
        "    if sent_to is None or sent_to.same_as(looked_in):",
        "    if True:",
    ),
    Guard(
        "proof: an operator's word stands against Stripe's",
        "Under another binding nothing is POSTed, and no look proves anything.",
        UNKNOWN_OUTCOMES,
        "    if _contradicts(sent_to, looked_in):",
        "    if False:",
    ),
    Guard(
        "proof: no clock but ours is looked for",
        PROOF,
        UNKNOWN_OUTCOMES,
        "CLOCKS_APART_S = 900",
        "CLOCKS_APART_S = 0",
    ),
    Guard(
        "proof: absence counts while the clocks disagree",
        PROOF,
        UNKNOWN_OUTCOMES,
        "    if abs(answered_at - now_s) > CLOCKS_APART_S:",
        "    if False:",
    ),
    Guard(
        "proof: absence counts though Stripe said no time",
        PROOF,
        UNKNOWN_OUTCOMES,
        "    if answered_at is None:",
        "    answered_at = now_s if answered_at is None else answered_at\n    if False:",
    ),
    Guard(
        "proof: a slot that refuses no send proves an absence",
        PROOF,
        UNKNOWN_OUTCOMES,
        "        if unsent or self.forgotten or not self.firsts:",
        "        if self.forgotten or not self.firsts:",
    ),
    Guard(
        "proof: an intent that is still being confirmed is a success",
        "A look settles only with an object in a state that its row calls complete.",
        UNKNOWN_OUTCOMES,
        "    return not (_confirms(entry) and unconfirmed and not failed)",
        "    return True",
    ),
    Guard(
        "proof: the clock is read after the facts",
        PROOF,
        SOURCE + "services/reconcile.py",
        "        decided = decide(end, await self._look_up(end, same=same), now_s)",
        "        decided = decide(end, await self._look_up(end, same=same), self._ports.clock.now_s())",
    ),
    Guard(
        "account: a proxy's 403 counts as Stripe's",
        "Only a 403 of Stripe's means that the key may not ask for its account.",
        STRIPE_ACCOUNTS_CODE,
        "    if isinstance(attempt, RefusedInFront) and attempt.http_status == FORBIDDEN:",
        "    if response.status_code == FORBIDDEN:",
        STRIPE_ACCOUNTS,
    ),
    Guard(
        "proof: a list that does not say where it ends counts as whole",
        PROOF,
        LISTS,
        "        if self.has_more is False:",
        "        if self.has_more is not True or not self.listed:",
        STRIPE_LISTS,
    ),
    Guard(
        "proof: what is on a test clock is not asked for",
        PROOF,
        LISTS,
        "for name in () if _is_live(key) else resource.clocked_by:",
        "for name in ():",
        STRIPE_LISTS,
    ),
    Guard(
        "follow-ups of an unknown outcome and of the settled one are one request",
        "Every accepted request has its effect: what two flows dispatch are two requests.",
        SOURCE + "domain/identity.py",
        "    outcome = () if kind is OutcomeKind.SETTLED else (kind.value,)",
        "    outcome = ()",
    ),
    Guard(
        "under load nothing that was postponed is looked at",
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
        "way in: what the queue refused counts as queued",
        THREE_ANSWERS,
        ACCEPT,
        "[item for item in by_id.values() if item.request_id not in failures]",
        "list(by_id.values())",
        WAY_IN,
    ),
    Guard(
        "way in: a lost answer is told as a refusal",
        THREE_ANSWERS,
        ACCEPT,
        "    maybe = isinstance(error, MaybeAccepted)",
        "    maybe = False",
        WAY_IN,
    ),
    Guard(
        "way in: only what has a key is claimed",
        "A made key is bound to what was asked before anybody learns it.",
        ACCEPT,
        "        ready = [item for item in prepared if isinstance(item, _Ready)]",
        "        return prepared",
        WAY_IN,
    ),
    Guard(
        "way in: an end that Stripe keeps is asked for again",
        "Only an end without an effect, and without an answer at Stripe, frees its key.",
        ACCEPT,
        ' and state.status == "failed" and not state.answered',
        ' and state.status == "failed"',
        WAY_IN,
    ),
    Guard(
        "way in: an end without an effect is told again for ever",
        "Only an end without an effect, and without an answer at Stripe, frees its key.",
        ACCEPT,
        ' and state.status == "failed" and not state.answered',
        " and False",
        WAY_IN,
    ),
    Guard(
        "status: a tenant names another one's slot",
        OWN_TENANT,
        SOURCE + "services/status.py",
        '    if " " in request_id:',
        "    if False:",
        WAY_IN,
    ),
    Guard(
        "answer: every error is shown",
        BOUNDED_ANSWER,
        "functions/paydispatch/handlers/api/budget.py",
        "        if room_bytes < 0:",
        "        if False:",
        WAY_IN,
    ),
    Guard(
        "answer: a text is shown whole",
        BOUNDED_ANSWER,
        "functions/paydispatch/handlers/api/budget.py",
        "    if size_in_answer(text) - _QUOTES <= most_bytes:",
        "    if True:",
        WAY_IN,
    ),
    Guard(
        "flow: a follow-up's key is not of its tenant",
        ONE_KEY,
        SOURCE + "flow.py",
        "key_space(self.tenant, self._queue_tenant)",
        'key_space("", "")',
        FLOW,
    ),
    Guard(
        "submit: an equal line of another run is the same request",
        "A file's lines are named by their run.",
        SOURCE + "services/submit.py",
        'f"{run}\\n{equal[stripped]}\\n{stripped}"',
        'f"{equal[stripped]}\\n{stripped}"',
        SUBMIT,
    ),
    Guard(
        "submit: two submissions of one file begin two runs",
        "A file's lines are named by their run.",
        SOURCE + "cli/ledger.py",
        "            _lock(self._file, self._path)",
        "            pass",
        SUBMIT,
    ),
    Guard(
        "submit: a run goes on under another one's ledger",
        "A file's lines are named by their run.",
        SOURCE + "cli/ledger.py",
        "        if self._wanted_run not in (None, run):",
        "        if False:",
        SUBMIT,
    ),
    Guard(
        "mark: it is left out",
        MARK,
        MARKS,
        '    return {**params, "metadata": {**metadata, MARK: request_id}}',
        "    return dict(params)",
    ),
    Guard(
        "mark: a 51st pair",
        "Stripe takes fifty pairs: our mark never pushes a request over.",
        MARKS,
        "len(metadata) >= METADATA_LIMIT",
        "len(metadata) > METADATA_LIMIT",
    ),
    Guard(
        "failover: a replica's answer is an answer like any other",
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
        LUA + "take_due.lua",
        "redis.call('ZREM', KEYS[1], '') --",
        "--",
        REDIS_FAILOVER,
    ),
    Guard(
        "failover: a look only reads",
        RIGHT_NODE,
        SOURCE + "adapters/redis/looks.py",
        '        pipe.zrem(keys.LOOKS, "")',
        '        pipe.zscore(keys.LOOKS, "")',
        REDIS_FAILOVER,
    ),
    Guard(
        "eviction: any policy is taken",
        NO_EVICTION,
        SOURCE + "adapters/redis/eviction.py",
        "        if policy is not None and not self._allowed:",
        "        if False:",
        REDIS_EVICTION,
    ),
    Guard(
        "bell: a user without rights to it publishes nothing (publish.lua)",
        BELL,
        LUA + "publish.lua",
        "redis.pcall('PUBLISH'",
        "redis.call('PUBLISH'",
        REDIS_USER,
    ),
    Guard(
        "sweep: a note between a look and its end is lost (move_on.lua)",
        FOUND,
        LUA + "move_on.lua",
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
        "sweep: it is not told when a postponed flow is due",
        FOUND,
        SOURCE + "adapters/redis/inbox.py",
        "            note_due(pipe, worker_id, due_ms)",
        "            pipe.zscore(keys.LOOKS, worker_id)",
        REDIS_SWEEP,
    ),
    Guard(
        "sweep: a worker that was taken is not looked at again (take_due.lua)",
        FOUND,
        LUA + "take_due.lua",
        "  redis.call('ZADD', KEYS[1], ARGV[3], due[at])",
        "  redis.call('ZREM', KEYS[1], due[at])",
        REDIS_SWEEP,
    ),
    Guard(
        "way in: a refusal ends the doubt of a lost answer (SQS)",
        THREE_ANSWERS,
        SQS_SENDS,
        "            in_doubt = in_doubt or not certainly_not_done(failure)",
        "            in_doubt = not certainly_not_done(failure)",
        SQS_ANSWERS,
    ),
    Guard(
        "way in: a message that SQS does not name is refused",
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
        "way in: an item without a yes is accepted because it names its request",
        THREE_ANSWERS,
        SOURCE + "adapters/http_results.py",
        '    if status is None and "error" not in item and "request_id" in item:',
        '    if "request_id" in item:',
        HTTP_ANSWERS,
    ),
    Guard(
        "way in: a refusal ends the doubt of a lost answer (Sender)",
        THREE_ANSWERS,
        SENDER,
        "        self.in_doubt = self.in_doubt or isinstance(error, MaybeAccepted)",
        "        self.in_doubt = isinstance(error, MaybeAccepted)",
        SDK,
    ),
    Guard(
        "way in: a request that is dispatched again forgets its doubt",
        THREE_ANSWERS,
        DISPATCHER,
        "in_doubt=isinstance(failure, MaybeAccepted))",
        "in_doubt=False)",
        SDK,
    ),
    Guard(
        "way in: a request prepared for the API is sent to the queue, its key in the clear",
        KEY,
        DISPATCHER,
        "            if prepared.way != self._delivery.way:",
        "            if False:",
        SDK,
    ),
    Guard(
        "close: what is in flight is called refused",
        STOPPED_FIRST,
        SENDER,
        "            for pending in self._offered:",
        "            for pending in ():",
        SDK,
    ),
    Guard(
        "close: an answer that comes later changes what was said",
        STOPPED_FIRST,
        SENDER,
        "            if self._over.is_set():\n                return []  # it came too late",
        "            if False:\n                return []  # it came too late",
        SDK,
    ),
    Guard(
        "close: a request that comes after the end is waited for",
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
        "        for receipt in sender.on_their_way() if sender else ():",
        "        for receipt in ():",
        FORKS,
    ),
    Guard(
        "end: a program that does not close drops what it has",
        OWN_DISPATCHER,
        SOURCE + "sdk/process.py",
        "    atexit.register(function)",
        "    _ = atexit.register",
        FORKS,
    ),
    Guard(
        "end: a child of multiprocessing drops what it has",
        OWN_DISPATCHER,
        SOURCE + "sdk/process.py",
        "        Finalize(None, function, exitpriority=0)",
        "        _ = Finalize",
        FORKS,
    ),
    Guard(
        "bounds: each batch waits for an SQS that does not answer",
        ONE_WAIT,
        SQS_SENDS,
        "        if time.monotonic() >= until:",
        "        if False:",
        SQS_ANSWERS,
    ),
    Guard(
        "bounds: each item of a batch asks a key service that failed",
        ONE_WAIT,
        SOURCE + "adapters/aws/kms.py",
        "        if failed_at is not None and self._clock.now_s() - failed_at < FAIL_FAST_S:",
        "        if False:",
        VAULT,
    ),
    Guard(
        "tenant: a turn is kept under the worker that its entry names",
        EVERY_TENANT,
        SOURCE + "adapters/redis/inbox.py",
        "        worker_id, context_id = turn.worker_slot, turn.entry.context_id\n        names = [",
        "        worker_id, context_id = turn.entry.worker_id, turn.entry.context_id\n        names = [",
        REDIS_INBOX,
    ),
    *IDENTITY_GUARDS,
    *FLOW_GUARDS,
)

"""Guards of the rule that a script can affect only its own run."""

from __future__ import annotations

from guard import LUA, SOURCE, Guard

INBOX = ("tests/integration/adapters/test_redis_inbox.py",)
INBOX_ANSWERS = ("tests/integration/adapters/test_inbox_lost_answers.py",)
ANY_FLOWS = ("tests/unit/services/test_flows_for_any_operation.py",)
EVENT_LOG = ("tests/unit/adapters/test_event_log.py",)
MISSING = ("tests/unit/services/test_missing_scripts.py",)
MISSING_IN_REDIS = ("tests/integration/adapters/test_flow_inbox.py",)
MISBEHAVING = ("tests/unit/services/test_scripts_that_misbehave.py",)
PACKAGE = ("tests/unit/adapters/test_flow_package.py",)
SCRIPTS = ("tests/unit/adapters/test_flow_scripts.py",)
SDK_FLOW = ("tests/unit/sdk/test_flow.py",)
THREADS = ("tests/unit/adapters/test_script_threads.py",)
WORKER = ("tests/integration/test_worker_process.py",)

FLOW = SOURCE + "flow.py"
FLOW_PACKAGE = SOURCE + "adapters/flow_package.py"
FLOW_SCRIPTS = SOURCE + "adapters/flow_scripts.py"
MEMORY_SCRIPTS = SOURCE + "testing/memory_scripts.py"
SCRIPT_RUN = SOURCE + "adapters/script_run.py"
LOG_SETTINGS = SOURCE + "adapters/log_settings.py"
REDIS_INBOX = SOURCE + "adapters/redis/streams/inbox.py"
RUN_FLOWS = SOURCE + "services/run_flows.py"
RUN_TURN = SOURCE + "services/flow_runs/run_turn.py"
RUN_SCRIPT = SOURCE + "services/flow_runs/run_script.py"
SCRIPT_ERRORS = SOURCE + "domain/text/script_errors.py"
SCRIPT_THREADS = SOURCE + "adapters/script_threads.py"
WORKER_COMMAND = SOURCE + "cli/commands/worker.py"

ALONE = "A script can end, block or mislabel only itself."
BOUNDED = "An import has its own timeout and is no part of the run."
FINISHED_ONCE = "A finished entry does not run again."
GOES_ON = "A context continues as soon as Redis does, without waiting until its entries are idle."
NO_RUN_BEFORE = "A postponed flow runs when it is due, and its context waits for it."
LEFT_TO_OTHERS = (
    "An outcome whose script no worker has is given up, after a time in which another may take it."
)
OWN_LOG = "No flow mutes the worker or another flow."
OWN_SCRIPT = "An outcome runs its own script if there is one, also a broken one."
REAL_MODULES = "A flow is the module of its name in its folder, in a worker and in a user's tests."
SIGTERM = "A worker obeys SIGTERM, also while a script ignores it."

FLOW_GUARDS = (
    Guard(
        "script: an outcome without one is given up at once",
        LEFT_TO_OTHERS,
        RUN_TURN,
        "        if delay_s is None:\n",
        "        if True:\n",
        MISSING,
    ),
    Guard(
        "script: an outcome without one waits for ever",
        LEFT_TO_OTHERS,
        RUN_TURN,
        "self._postpone(delay_s, Postponement.MISSING)",
        "self._postpone(delay_s, Postponement.LATER)",
        MISSING,
    ),
    Guard(
        "script: the wait for one counts as a failed run",
        LEFT_TO_OTHERS,
        RUN_TURN,
        "self._postpone(delay_s, Postponement.MISSING)",
        "self._postpone(delay_s, Postponement.FAILED)",
        MISSING,
    ),
    Guard(
        "script: one that a runner had may be given up as missing",
        LEFT_TO_OTHERS,
        LUA + "streams/postpone.lua",
        "if ARGV[4] ~= 'missing' then",
        "if false then",
        MISSING_IN_REDIS,
    ),
    Guard(
        "script: a turn that is over begins the wait for one",
        LEFT_TO_OTHERS,
        LUA + "streams/note_missing.lua",
        "if redis.call('GET', KEYS[1]) ~= ARGV[2] then",
        "if false then",
        MISSING_IN_REDIS,
    ),
    Guard(
        "script: one of its own does not win over the one for any operation",
        OWN_SCRIPT,
        RUN_TURN,
        "    if not scripts.has(entry.flow_name) and scripts.has(entry.any_flow_name):",
        "    if scripts.has(entry.any_flow_name):",
        ANY_FLOWS,
    ),
    Guard(
        "script: the one for any operation runs in place of one that is left to others",
        OWN_SCRIPT,
        RUN_TURN,
        "        if policy.leaves(self._script):\n            return",
        "        if False:\n            return",
        MISSING,
    ),
    Guard(
        "script: one that was never imported counts as missing",
        OWN_SCRIPT,
        FLOW_SCRIPTS,
        "return name in self._scripts or self._package.has(name)",
        "return name in self._scripts",
        ANY_FLOWS,
    ),
    Guard(
        "script: one that cannot be looked at counts as missing",
        OWN_SCRIPT,
        FLOW_PACKAGE,
        "    except OSError:\n        return True",
        "    except OSError:\n        return False",
        ANY_FLOWS,
    ),
    Guard(
        "script: one that is a package or compiled counts as missing",
        OWN_SCRIPT,
        FLOW_PACKAGE,
        'for inside in ("", "/__init__") for suffix in all_suffixes()',
        'for inside in ("",) for suffix in (".py",)',
        ANY_FLOWS,
    ),
    Guard(
        "script: a failing import counts as a missing script",
        OWN_SCRIPT,
        FLOW_SCRIPTS,
        "            return script_end(error)",
        '            return MissingFlow(name, "")',
        ANY_FLOWS,
    ),
    Guard(
        "script: a script that cancels itself stops the runner (twin)",
        ALONE,
        MEMORY_SCRIPTS,
        "        if running.cancelled():",
        "        if False:",
        MISBEHAVING,
    ),
    Guard(
        "script: the runner waits for a script that ignores its cancellation (twin)",
        ALONE,
        MEMORY_SCRIPTS,
        "            await asyncio.wait({running}, timeout=CLEAN_UP_S)",
        "            await asyncio.wait({running})",
        MISBEHAVING,
    ),
    Guard(
        "script: it can change the entry that goes to the dead stream",
        ALONE,
        RUN_TURN,
        "            OutcomeEntry.from_json(turn.text).with_error(",
        "            turn.entry.with_error(",
        MISBEHAVING,
    ),
    Guard(
        "script: each worker may use all contexts of the runner",
        ALONE,
        RUN_FLOWS,
        "        return max(0, min(own, self.policy.altogether - self._running_contexts))",
        "        return max(0, own)",
        MISBEHAVING,
    ),
    Guard(
        "script: an exception group with a failure counts as RetryLater",
        "RetryLater does not count as a failure, and a failure does not count as RetryLater.",
        FLOW,
        "    if not asked or len(asked) < len(raised):",
        "    if not asked:",
        SDK_FLOW,
    ),
    Guard(
        "script: the inner errors of a group are not reported",
        "The error flow gets the inner errors of an exception group.",
        SCRIPT_ERRORS,
        "    if not isinstance(error, BaseExceptionGroup):",
        "    if True:",
        MISBEHAVING,
    ),
    Guard(
        "script: the text of its error holds a key",
        "The key is in no queue, stream or log.",
        SCRIPT_ERRORS,
        '        return redact(str.encode(text, "utf-8", "backslashreplace").decode())',
        '        return str.encode(text, "utf-8", "backslashreplace").decode()',
        MISBEHAVING,
    ),
    Guard(
        "script: sys.exit ends the worker",
        ALONE,
        SCRIPT_RUN,
        "        except BaseException as error:  # `sys.exit()` ends the script and not the worker",
        "        except Exception as error:",
        WORKER,
    ),
    Guard(
        "script: runs share context variables",
        ALONE,
        SCRIPT_THREADS,
        "                Context().run(self._do, doing)",
        "                self._do(doing)",
        SCRIPTS,
    ),
    Guard(
        "script: a generator counts as a run",
        "A flow whose body never runs is not finished.",
        FLOW_PACKAGE,
        "        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):",
        "        if False:",
        SCRIPTS,
    ),
    Guard(
        "script: a generator that is returned counts as a run",
        "A flow whose body never runs is not finished.",
        SCRIPT_RUN,
        "        elif inspect.isgenerator(returned) or inspect.isasyncgen(returned):",
        "        elif False:",
        SCRIPTS,
    ),
    Guard(
        "import: it has no timeout",
        BOUNDED,
        FLOW_SCRIPTS,
        "timeout=max(0.0, importing.give_up_at - time.monotonic()))",
        "timeout=None)",
        SCRIPTS,
    ),
    Guard(
        "import: the lease is not renewed for its time",
        BOUNDED,
        RUN_TURN,
        "        await self._renew(self._policy.import_timeout_s)\n",
        "",
        MISBEHAVING,
    ),
    Guard(
        "import: a turn that was lost meanwhile runs",
        BOUNDED,
        RUN_TURN,
        "        if end is None and not await self._renew(self._policy.timeout_s):",
        "        if False:",
        MISBEHAVING,
    ),
    Guard(
        "import: a worker that stops waits for it",
        SIGTERM,
        RUN_SCRIPT,
        "        await asyncio.wait({loading, stopped}, return_when=asyncio.FIRST_COMPLETED)",
        "        await asyncio.wait({loading})",
        MISBEHAVING,
    ),
    Guard(
        "import: one that hangs until its worker stops counts as no attempt",
        "An entry that hangs in every import goes to the dead stream.",
        RUN_TURN,
        "                await self._postpone(0.0, Postponement.NOT_BEGUN)",
        "                await self._postpone(0.0, Postponement.LATER)",
        MISBEHAVING,
    ),
    Guard(
        "import: a module without a run is kept",
        "A failing import is tried again at the next run.",
        FLOW_PACKAGE,
        "            sys.modules.pop(module.__name__, None)",
        "            pass",
        SCRIPTS,
    ),
    Guard(
        "package: the modules of another folder stay loaded",
        REAL_MODULES,
        FLOW_PACKAGE,
        "                self._forget_modules()",
        "                pass",
        PACKAGE,
    ),
    Guard(
        "package: a folder may have the name of another package",
        REAL_MODULES,
        FLOW_PACKAGE,
        "        if other is not None:",
        "        if False:",
        PACKAGE,
    ),
    Guard(
        "log: a disabled logger stays disabled",
        OWN_LOG,
        LOG_SETTINGS,
        "        self.logger.disabled = False",
        "        pass",
        EVENT_LOG,
    ),
    Guard(
        "log: logging.disable stays in force",
        OWN_LOG,
        LOG_SETTINGS,
        "            logging.disable(self._disabled_below)",
        "            pass",
        EVENT_LOG,
    ),
    Guard(
        "log: extra overwrites an id",
        OWN_LOG,
        SOURCE + "flow_log.py",
        '        return {f"extra_{n}" if n in used else n: value for n, value in names}',
        "        return dict(names)",
        EVENT_LOG,
    ),
    Guard(
        "worker: threads of a flow keep the process alive",
        SIGTERM,
        WORKER_COMMAND,
        "    leave_soon(0)\n",
        "",
        WORKER,
    ),
    Guard(
        "finished: an entry that a new group delivers again runs (take_turns.lua)",
        FINISHED_ONCE,
        LUA + "streams/take_turns.lua",
        "    if made_at < all_before or redis.call('ZSCORE', KEYS[4], id) then",
        "    if false then",
        INBOX,
    ),
    Guard(
        "finished: it is not recorded (finish_turns.lua)",
        FINISHED_ONCE,
        LUA + "streams/finish_turns.lua",
        "redis.call('ZADD', KEYS[4], unpack(finished))\n",
        "",
        INBOX,
    ),
    Guard(
        "finished: after a lost group an entry counts as reported (finish_turns.lua)",
        "The failure of a response script is reported to its error script.",
        LUA + "streams/finish_turns.lua",
        "  local unfinished = acknowledged + redis.call('LREM', queue, 1, id) > 0",
        "  redis.call('LREM', queue, 1, id)\n  local unfinished = acknowledged > 0",
        INBOX,
    ),
    Guard(
        "due: an entry runs before its time (take_turns.lua)",
        NO_RUN_BEFORE,
        LUA + "streams/take_turns.lua",
        "  if due and tonumber(due) > tonumber(ARGV[2]) then",
        "  if false then",
        INBOX,
    ),
    Guard(
        "finish: a repeat for a lost answer counts the next run again (finish_turns.lua)",
        "The number of a run is the number of times that its script began, or may have begun.",
        LUA + "streams/finish_turns.lua",
        "local run = counted and redis.call('HGET', KEYS[3], following)",
        "local run = false",
        INBOX_ANSWERS,
    ),
    Guard(
        "finish: a late repeat takes a turn that its runner never runs (finish_turns.lua)",
        GOES_ON,
        LUA + "streams/finish_turns.lua",
        " or not (unfinished or holder) then",
        " then",
        INBOX_ANSWERS,
    ),
    Guard(
        "script: the results before one that hangs wait for it",
        ALONE,
        SCRIPT_THREADS,
        "        self._take_results(loop)\n",
        "",
        THREADS,
    ),
    Guard(
        "script: one that hangs holds up those behind it",
        ALONE,
        SCRIPT_THREADS,
        "                for _ in range(min(len(self._waiting), self._awake)):",
        "                for _ in ():",
        THREADS,
    ),
    Guard(
        "renew: another runner's lease is renewed (renew.lua)",
        "Flows of one context run in order.",
        LUA + "streams/renew.lua",
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then",
        "if false then",
        ("tests/integration/adapters/test_flow_inbox.py",),
    ),
    Guard(
        "failover: the entries of a failed read are not read again",
        GOES_ON,
        REDIS_INBOX,
        '                self._look_back_from[worker_id] = "0"\n',
        "",
        INBOX_ANSWERS,
    ),
    Guard(
        "failover: a retry for an unanswered turn uses another lease",
        GOES_ON,
        REDIS_INBOX,
        "unanswered.get(entry_id) or secrets.token_hex(8)",
        "secrets.token_hex(8)",
        INBOX_ANSWERS,
    ),
    Guard(
        "failover: two concurrent reads share a lease",
        GOES_ON,
        REDIS_INBOX,
        "async with self._look[worker_id], self._looks,",
        "async with self._looks,",
        INBOX_ANSWERS,
    ),
    Guard(
        "failover: reading entries again ends at the first page",
        GOES_ON,
        REDIS_INBOX,
        "            if turns:\n                return turns\n        return []",
        "            return turns\n        return []",
        INBOX_ANSWERS,
    ),
    Guard(
        "failover: the renewal for an import is not retried",
        GOES_ON,
        RUN_TURN,
        "await self._report(partial(self._ports.inbox.renew, self._turn, for_s))",
        "await self._ports.inbox.renew(self._turn, for_s)",
        MISBEHAVING,
    ),
)

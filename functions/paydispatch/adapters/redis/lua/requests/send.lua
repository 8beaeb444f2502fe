-- Open a send just before its POST: bind the account, and write the time of the first send, where the horizon begins.
-- A second call with the same token is the same send.
-- KEYS: 1 request, 2 open sends
-- ARGV: 1 seconds to keep it, 2 fingerprint, 3 token, 4 horizon (s), 5 attempt,
--       6 account (JSON), 7 account id or '', 8 mode, 9 headers, 10 hash of the key, 11 the rule of repeats, 12 how many later sends keep their time
-- The set of open sends keeps the token of a send that was answered, because the final status of the request comes with
-- the answer. That is no doubt and no leak: every script looks at the status first, and the set expires with the slot.
-- Returns {'go', now, first send} with both in unix seconds, or {reason to refuse}.
local slot = redis.call('HMGET', KEYS[1], 'fingerprint', 'status', 'closed', 'first_sent_at', 'maybe_executed',
  'account_id', 'account_mode', 'account_headers', 'account_key')
if slot[1] ~= ARGV[2] then
  return {'not_owned'}
end
if slot[2] == 'succeeded' or slot[2] == 'failed' then
  return {'published'}
end
if slot[3] then
  return {'closed'}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
if slot[4] and now - tonumber(slot[4]) >= tonumber(ARGV[4]) then
  return {'past_horizon'}
end
local mine = redis.call('SISMEMBER', KEYS[2], ARGV[3])
local others = redis.call('SCARD', KEYS[2]) - mine
if ARGV[11] == 'until_doubt' and (others > 0 or slot[5] == '1') then
  return {'in_doubt'}
end
if slot[7] then
  local same = slot[7] == ARGV[8] and slot[8] == ARGV[9]
    and (slot[9] == ARGV[10] or ARGV[7] ~= '' and slot[6] == ARGV[7])
  if not same and (others > 0 or slot[5] == '1') then
    return {'other_account'}
  end
  if same and ARGV[7] == '' and slot[6] ~= '' then
    ARGV[6] = redis.call('HGET', KEYS[1], 'account') -- keep the known id, because this key may not ask Stripe for it
    ARGV[7] = slot[6]
  end
end
redis.call('HSET', KEYS[1], 'account', ARGV[6], 'account_id', ARGV[7], 'account_mode', ARGV[8],
  'account_headers', ARGV[9], 'account_key', ARGV[10])
local at = string.format('%.6f', now)
if not slot[4] then
  redis.call('HSET', KEYS[1], 'first_sent_at', at, 'started_by', ARGV[3])
elseif mine == 0 then
  redis.call('HDEL', KEYS[1], 'started_by') -- another send began, so end_send must keep `first_sent_at`
  local later = redis.call('HGET', KEYS[1], 'later_sends') or ''
  if select(2, string.gsub(later, ':', '')) < tonumber(ARGV[12]) then
    redis.call('HSET', KEYS[1], 'later_sends', later .. ARGV[5] .. ':' .. at .. ' ') -- for operators alone
  end
end
redis.call('HSET', KEYS[1], 'last_sent_at', at, 'attempts', ARGV[5], 'status', 'calling')
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return {'go', at, slot[4] or at}

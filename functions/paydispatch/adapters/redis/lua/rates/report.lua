-- Report how a call ended. See limits.lua for KEYS and ARGV 1 to 3.
-- ARGV: 4 operation, 5 name of the call in flight or '', 6 epoch of its tokens, 7 feedback
-- Returns {the rate or cap that shrank or 0, 1 if the breaker opened now}.
local operation, name, epoch, feedback = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local account = unpack_account(redis.call('HGET', KEYS[1], 'account'))

if name ~= '' then
  for _, one in ipairs({'', operation}) do
    local field = 'flight:' .. one
    local text = redis.call('HGET', KEYS[1], field)
    if text then
      local flight = cmsgpack.unpack(text)
      flight[name] = nil
      redis.call('HSET', KEYS[1], field, cmsgpack.pack(flight))
    end
  end
end

local shrunk, opened = 0, 0
local function learn()
  local of_account = feedback == 'account_rate' or feedback == 'account_concurrency'
  local target = of_account and '' or operation
  local configured = configured_rate(redis.call('HGET', KEYS[2], 'rate:' .. target), ARGV[of_account and 2 or 3])
  if not configured then
    return
  end
  local all = redis.call('HGETALL', KEYS[1])
  local texts = {['limit:' .. target] = false}
  for at = 1, #all, 2 do
    if string.sub(all[at], 1, 6) == 'limit:' then
      texts[all[at]] = all[at + 1]
    end
  end
  for field, text in pairs(texts) do
    local limit = unpack_limit(string.sub(field, 7), text)
    if limit.name == target and (feedback == 'account_rate' or feedback == 'operation_rate') then
      limit.learned, limit.learned_at = max(LOWEST_RATE, floor(rate_of(limit, configured) * SHRINK_TO)), now
      shrunk = limit.learned
    elseif limit.name == target then
      limit.cap, limit.cap_at = max(LOWEST_RATE, floor((cap_of(limit, configured) or configured) * SHRINK_TO)), now
      shrunk = limit.cap
    end
    for at = #limit.calls, 2 * LANES + 1, -1 do -- the tokens of this slot and the next stand
      limit.calls[at] = nil
    end
    redis.call('HSET', KEYS[1], field, pack_limit(limit))
  end
  account.epoch = max(account.epoch + 1, micros(now))
end

if feedback == 'failed' then
  account.failures = account.failures + 1
  if account.failures >= FAILURES_IN_A_ROW and account.next_probe == 0 then
    account.next_probe, opened = now + probe_interval(0), 1
  end
elseif feedback ~= 'not_called' then
  account.failures, account.probes, account.next_probe = 0, 0, 0
  if feedback ~= 'fine' and epoch == string.format('%.0f', account.epoch) then
    learn()
  end
end
redis.call('HSET', KEYS[1], 'account', pack_account(account))
redis.call('EXPIRE', KEYS[1], KEEP_S)
return {shrunk, opened}

-- Read the state of an account for an operator. See limits.lua for KEYS and ARGV.
-- Returns JSON: failures, next_probe, limits: [{operation, configured, overridden, rate, cap, in_flight, reserved, later}],
-- pauses: {lane: text}. A number that does not exist is left out.
local account = unpack_account(redis.call('HGET', KEYS[1], 'account'))
local texts, rates, pauses = {[''] = false}, {}, {}
local function each_field(key, visit)
  local all = redis.call('HGETALL', key)
  for at = 1, #all, 2 do
    visit(all[at], all[at + 1])
  end
end
each_field(KEYS[1], function(field, text)
  if string.sub(field, 1, 6) == 'limit:' then
    texts[string.sub(field, 7)] = text
  end
end)
each_field(KEYS[2], function(field, text)
  if string.sub(field, 1, 5) == 'rate:' then
    local name = string.sub(field, 6)
    rates[name], texts[name] = text, texts[name] or false
  else
    pauses[string.sub(field, 7)] = text
  end
end)
local shown = {}
for name, text in pairs(texts) do
  local limit = unpack_limit(name, text)
  local configured = configured_rate(rates[name], ARGV[name == '' and 2 or 3])
  local one = {operation = name, overridden = rates[name] ~= nil, in_flight = 0, reserved = 0}
  if configured then
    one.configured, one.rate, one.cap = configured, rate_of(limit, configured), cap_of(limit, configured)
    if one.cap then
      local _, size = read_flight(limit)
      one.in_flight = size
    end
  end
  for at = LANES + 1, #limit.calls do
    one.reserved = one.reserved + limit.calls[at]
  end
  local later = max(limit.later[1], limit.later[2], limit.later[3])
  if later > now then
    one.later = string.format('%.6f', later)
  end
  shown[#shown + 1] = one
end
return cjson.encode({failures = account.failures, next_probe = string.format('%.6f', account.next_probe),
  limits = shown, pauses = pauses})

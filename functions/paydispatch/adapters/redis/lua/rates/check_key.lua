-- Ask the breakers of a key whether calls may go, with the rules of `domain/rates/key_breaker.py`.
-- KEYS: 1 the breakers of the key, by operation: 'SINCE NEXT_PROBE REFUSALS PROBING'
-- ARGV: 1 now in unix seconds, or '' for the time of Redis, then the operation of each call
-- Returns {} if no breaker of the key is open, else for each call '' (it may go) or the seconds until the next probe.
local all = redis.call('HGETALL', KEYS[1])
if #all == 0 then
  return {}
end
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or tonumber(time[1]) + tonumber(time[2]) / 1000000
local breakers = {}
for at = 1, #all, 2 do
  local since, next_probe, refusals = string.match(all[at + 1], '^(%S+) (%S+) (%d+)')
  breakers[all[at]] = {since = since, next_probe = tonumber(next_probe), refusals = tonumber(refusals)}
end
local said = {}
for at = 2, #ARGV do
  local names, wait = {'', ARGV[at]}, 0
  for _, name in ipairs(names) do
    wait = math.max(wait, breakers[name] and breakers[name].next_probe - now or 0)
  end
  said[#said + 1] = wait > 0 and string.format('%.6f', wait) or ''
  for _, name in ipairs(names) do
    local breaker = breakers[name]
    if breaker and wait <= 0 then -- the call is the probe
      breaker.next_probe = now + math.min(900, 2 ^ math.min(breaker.refusals, 16))
      redis.call('HSET', KEYS[1], name,
        string.format('%s %.6f %d 1', breaker.since, breaker.next_probe, breaker.refusals))
    end
  end
end
redis.call('EXPIRE', KEYS[1], 3600)
return said

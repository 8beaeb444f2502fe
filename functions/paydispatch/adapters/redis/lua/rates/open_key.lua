-- Open the breaker of a key, or extend its interval after a refused probe.
-- KEYS: 1 the breakers of the key (see check_key.lua)
-- ARGV: 1 now in unix seconds, or '' for the time of Redis, 2 operation, or '' for all. Returns 1 if it was closed.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or tonumber(time[1]) + tonumber(time[2]) / 1000000
local since, _, refusals, probing
local text = redis.call('HGET', KEYS[1], ARGV[2])
if text then
  since, _, refusals, probing = string.match(text, '^(%S+) (%S+) (%d+) (%d)')
end
local after = text and tonumber(refusals) + 1 or 0
if not text or probing == '1' then
  local next_probe = now + math.min(900, 2 ^ math.min(after, 16))
  redis.call('HSET', KEYS[1], ARGV[2],
    string.format('%s %.6f %d 0', since or string.format('%.6f', now), next_probe, after))
end
redis.call('EXPIRE', KEYS[1], 3600)
return text and 0 or 1

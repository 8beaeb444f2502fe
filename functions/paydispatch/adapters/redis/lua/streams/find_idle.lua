-- Find pending entries that no runner has touched for long. Leave out the postponed ones, which are as idle: there may be
-- thousands of them while a service that flows need is away.
-- KEYS: 1 stream, 2 postponed. ARGV: 1 group, 2 idle time (ms), 3 first id, 4 how many to look at, 5 how many to find
-- Returns the first id of the next scan, and the ids. Writes nothing.
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[2], ARGV[3], '+', ARGV[4])
if pending.err then
  if string.find(pending.err, 'NOGROUP', 1, true) then
    return {'-'}
  end
  error(pending.err)
end
local found = {#pending < tonumber(ARGV[4]) and '-' or '(' .. pending[#pending][1]}
for _, entry in ipairs(pending) do
  if not redis.call('ZSCORE', KEYS[2], entry[1]) then
    found[#found + 1] = entry[1]
    if #found > tonumber(ARGV[5]) then
      found[1] = '(' .. entry[1]
      break
    end
  end
end
return found

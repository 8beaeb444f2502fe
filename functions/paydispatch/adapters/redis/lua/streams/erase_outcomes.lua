-- Delete entries of a context from a stream, except those whose flow has not finished.
-- KEYS: 1 stream, 2 context queue, which holds the unfinished entries. ARGV: 1 '1' to write, '' to look only, then ids
-- Returns the number of deleted entries, and of those that are left.
local unfinished = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  unfinished[id] = true
end
local erased, left = 0, 0
for at = 2, #ARGV do
  if unfinished[ARGV[at]] then
    left = left + 1
  else
    erased = erased + 1
    if ARGV[1] == '1' then
      redis.call('XDEL', KEYS[1], ARGV[at])
    end
  end
end
return {erased, left}

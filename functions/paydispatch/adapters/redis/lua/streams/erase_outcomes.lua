-- Delete the finished entries of a context from a stream.
-- KEYS: 1 stream, 2 finished, 3 finished before. ARGV: 1 '1' to write, '' to look only, then ids
-- Returns the number of deleted entries, and of those that are left.
-- An entry that no context queue holds may be unfinished too: a program put it on the stream, and no runner has read it.
local all_before = tonumber(redis.call('GET', KEYS[3]) or '0')

local function is_finished(id)
  return tonumber(string.match(id, '^%d+')) < all_before or redis.call('ZSCORE', KEYS[2], id)
end

local erased, left = 0, 0
for at = 2, #ARGV do
  if is_finished(ARGV[at]) then
    erased = erased + 1
    if ARGV[1] == '1' then
      redis.call('XDEL', KEYS[1], ARGV[at])
    end
  else
    left = left + 1
  end
end
return {erased, left}

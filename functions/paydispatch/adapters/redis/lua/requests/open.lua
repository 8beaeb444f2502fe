-- Note an accepted request as open, unless its outcome has been published, and return its seen-mark.
-- The check of the mark keeps a late note from leaving a finished request open.
-- KEYS: 1 seen-mark, 2 open requests
-- ARGV: 1 request id, 2 accepted at (unix s), 3 seconds to remember it, 4 the oldest to keep (unix s)
local mark = redis.call('GET', KEYS[1])
if not mark then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[4])
  redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[1])
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return mark

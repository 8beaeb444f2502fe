-- Give workers of an index another score or remove them, unless a note has changed their score meanwhile.
-- A worker that another sweep has removed is added again, because it was noted after that sweep's look.
-- KEYS: 1 index. ARGV: worker, its score as it was read, its new score or '' to remove it, worker, …
for at = 1, #ARGV, 3 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if not score or tonumber(score) == tonumber(ARGV[at + 1]) then
    if ARGV[at + 2] == '' then
      redis.call('ZREM', KEYS[1], ARGV[at])
    else
      redis.call('ZADD', KEYS[1], ARGV[at + 2], ARGV[at])
    end
  end
end

-- Make a stream's consumer group, if there is none. A lost group begins at the time before which all is finished.
-- KEYS: 1 stream, 2 finished before. ARGV: 1 group
-- Returns 1 if it made the group.
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for at = 1, #fields, 2 do
      if fields[at] == 'name' and fields[at + 1] == ARGV[1] then
        return 0
      end
    end
  end
end
local all_before = tonumber(redis.call('GET', KEYS[2]) or 0)
local after = '0'
if all_before > 0 then
  after = string.format('%.0f', all_before - 1)
end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], after, 'MKSTREAM')
return 1

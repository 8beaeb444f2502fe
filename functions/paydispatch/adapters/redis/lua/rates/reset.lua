-- Drop the limits that operators set for an account, and what its limits learned. See limits.lua for KEYS and ARGV.
local function fields_of(key)
  local fields, all = {}, redis.call('HGETALL', key)
  for at = 1, #all, 2 do
    fields[#fields + 1] = all[at]
  end
  return fields
end
for _, field in ipairs(fields_of(KEYS[2])) do
  if string.sub(field, 1, 5) == 'rate:' then
    redis.call('HDEL', KEYS[2], field)
  end
end
for _, field in ipairs(fields_of(KEYS[1])) do
  if string.sub(field, 1, 6) == 'limit:' then
    local limit = unpack_limit(string.sub(field, 7), redis.call('HGET', KEYS[1], field))
    limit.learned, limit.learned_at, limit.cap, limit.cap_at = 0, 0, 0, 0
    redis.call('HSET', KEYS[1], field, pack_limit(limit))
  end
end
return redis.call('EXISTS', KEYS[2])

-- Write down that a delivery is at work on a request, unless the request is settled.
-- KEYS: 1 seen-mark, 2 deliveries at work; ARGV: 1 the delivery, 2 seconds to remember it
-- Returns how many others are at work, or false: settled.
if string.match(redis.call('GET', KEYS[1]) or '', '^%a+') == 'settled' then
  return false
end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return redis.call('SCARD', KEYS[2]) - 1

-- Close the breaker of an account. See limits.lua for KEYS and ARGV.
local text = redis.call('HGET', KEYS[1], 'account')
if text then
  local account = unpack_account(text)
  account.failures, account.probes, account.next_probe = 0, 0, 0
  redis.call('HSET', KEYS[1], 'account', pack_account(account))
end

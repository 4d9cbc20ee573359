-- Gives out the next version number, which is also the fencing token, and marks it as being staged.
-- Higher than any number in use, also where a failover has lost the counter's last step.
-- KEYS: counter, active pointer, versions, states
-- ARGV: number of buckets, check value of the customer key, feature set.  Returns the number.
local number = tonumber(redis.call('GET', KEYS[1]) or '0')
number = math.max(number, tonumber(redis.call('GET', KEYS[2]) or '0'))
local known_numbers = redis.call('ZREVRANGE', KEYS[3], 0, -1)
for _, known in ipairs(known_numbers) do number = math.max(number, tonumber(known)) end
number = number + 1
local time = redis.call('TIME')
local version = string.format('%d', number)
redis.call('SET', KEYS[1], version)
redis.call('ZADD', KEYS[3], time[1], version)
redis.call('HSET', KEYS[4], version, 'staging', version .. ':since', time[1], version .. ':buckets', ARGV[1], version .. ':key', ARGV[2],
  version .. ':set', ARGV[3])
return number

-- Renews or gives back the publisher's lease, unless it is another's by now. One that a failover lost is taken again.
-- KEYS: lease;  ARGV: token, milliseconds to hold it from now on (0 = give back).  Returns 1, or 0 if it is another's.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) == 0 then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1

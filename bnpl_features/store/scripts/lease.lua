-- Renews or gives back the publisher's lease, only while it is still one's own.
-- KEYS: lease;  ARGV: token, milliseconds to hold it from now on (0 = give back).  Returns 1, or 0 if it is another's.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) == 0 then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])

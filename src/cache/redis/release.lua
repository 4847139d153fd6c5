#!lua flags=allow-oom
-- Gives a lease back that nothing came of. KEYS: the key. ARGV: the token.
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HDEL', KEYS[1], 'token', 'lease') end

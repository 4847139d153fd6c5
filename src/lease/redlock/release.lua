#!lua flags=allow-oom
-- Takes back what a claim has on this node.
-- KEYS: the key. ARGV: how it begins: id, or id and ballot if nothing else of the claim is meant.
local raw = redis.call('GET', KEYS[1])
if raw and string.sub(raw, 1, #ARGV[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'released'

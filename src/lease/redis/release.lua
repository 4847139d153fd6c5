#!lua flags=allow-oom
-- Takes back what claims hold, or their places.
-- KEYS: the key of each. ARGV: the id of each. Returns of each whether there was something: 1 or 0.
local released, answers, now = #KEYS, {}, nil
-- include take-back.lua
return answers

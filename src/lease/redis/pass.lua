#!lua flags=allow-oom
-- Takes back what some claims hold and then grants others, of which there are no more: so it needs no memory that is not given back.
-- KEYS: those of release.lua, then those of try.lua. ARGV: those of release.lua, then those of try.lua, then how many are taken back.
-- Returns what release.lua does, then what try.lua does.
local told = #ARGV - 1
local released, answers, now = ARGV[told + 1] + 0, {}, nil
-- include take-back.lua
-- include grant.lua
return answers

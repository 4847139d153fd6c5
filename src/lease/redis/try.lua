#!lua
-- Grants claims, or keeps their places among those who wait.
-- KEYS: the key of each, then the last token.
-- ARGV: what is common to them: ttl in µs, holder; the channel by which to tell who queues, or 'none' if they do not, which may be left out as
-- what follows may; share and whole, unless they want all. Then the id of each.
-- Returns of each the token; or minus the µs after which to ask again; or nil if nothing but a release can change the answer.
local released, told, answers, now = 0, #ARGV, {}, nil
-- include grant.lua
return answers

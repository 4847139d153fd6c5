-- How many of `times` takes there is room for.
local granted = times
if cost > limit then granted = 0
elseif price > 0 and price * times > room then granted = max(0, floor(room / price)) end

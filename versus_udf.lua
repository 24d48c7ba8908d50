function bump(r, b, d) r[b] = (r[b] or 0) + d; aerospike:update(r); return r[b] end
function tally(r) local l = r['u']; local s = 0; for v in list.iterator(l) do s = s + v end; return s end
cdef class Histogram:
    cdef public str name
    cdef public list counts, _last_counts
    cdef public long long pending, since_ms
    cdef public object total_ns, _fine_bits, _last_ns, _slice, _unit_ns

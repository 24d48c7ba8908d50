cpdef bint unplain(tuple record, set_id, now_s) except -1

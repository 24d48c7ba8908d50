cdef class OneBinWrite:
    cdef public object _commit, _get, _put, overwrite, set_id

    cpdef put(self, bytes digest, now_ms, head, bytes payload)

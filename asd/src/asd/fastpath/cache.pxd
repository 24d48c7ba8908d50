cdef bytes _EMPTY_OK
cdef object _reply_without_bins
